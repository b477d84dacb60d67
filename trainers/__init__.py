"""The PyTorch side: the mirror of a network, its gradients, training, parity and fits.

All code that imports PyTorch belongs here, including the PyTorch side of a learning rule. Names are
imported on first use, so that ``import bioae.trainers`` itself is fast. PyTorch comes with the
extra ``bioae[train]``: without it, every name raises a `bioae.errors.LibraryError` that says so.
"""

import lazy_loader

from bioae.extras import need_torch

_export, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name in __all__:
        need_torch(f"{__name__}.{name}")
    return _export(name)
