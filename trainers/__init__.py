"""The PyTorch side: the mirror of a network, its gradients, training, parity and fits.

All code that imports PyTorch belongs here, including the PyTorch side of a learning rule. Names are
imported on first use, so that ``import bioae.trainers`` itself is fast.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
