"""Spiking auto-encoders, written once as Brian2 equations.

Trained by gradient descent in PyTorch, through a mirror derived from the equations; run in Brian2;
measured in xarray. Here lies the core: networks, their simulation, data sets, the artefact, the
command line. Names are imported when they are first used: simulating and analysing never import
PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
