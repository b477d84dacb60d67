"""Spiking auto-encoders, written once as Brian2 equations.

Networks are trained by gradient descent in PyTorch, through a mirror derived from the equations,
simulated in Brian2, and analysed in xarray. Names are imported when they are first used, so that
simulation and analysis never import PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
