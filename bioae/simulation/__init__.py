"""Simulation of networks in Brian2: its options, its objects, its targets, its results.

`simulate` runs a network on images and returns a result; `build` returns its Brian2 objects.
Nothing here imports PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
