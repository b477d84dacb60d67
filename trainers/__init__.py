"""The PyTorch side: the mirror of a network, its gradients, and what trains it.

What belongs here is all that imports PyTorch. Names are imported when they are first used, so that
``import bioae.trainers`` itself costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
