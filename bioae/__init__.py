"""Spiking auto-encoders, written once as Brian2 equations.

Networks are trained by gradient descent in PyTorch, through a mirror derived from the equations,
simulated in Brian2, and analysed in xarray. Names are imported when they are first used, so that
simulation and analysis never import PyTorch. Results are trees of xarray with the attribute
``tree.bioae``, the functions of `bioae.analysis` as methods.
"""

import lazy_loader

_export, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("bioae")
    return _export(name)
