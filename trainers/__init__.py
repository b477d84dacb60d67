"""The PyTorch side: the mirror of a network, its gradients, training, baselines, parity and fits.

All code that imports PyTorch belongs here, including the PyTorch side of a learning rule. Names are
imported on first use, so that ``import bioae.trainers`` itself is fast.
"""

import os

import lazy_loader

# EAGER_IMPORT=1, a switch of this library, would import PyTorch with bioae.
_eager = os.environ.pop("EAGER_IMPORT", None)
try:
    __getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
finally:
    if _eager is not None:
        os.environ["EAGER_IMPORT"] = _eager
