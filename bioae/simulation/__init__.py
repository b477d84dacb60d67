"""A network in Brian2: its objects, its targets, its results.

`build` makes ordinary Brian2 objects of a network; `simulate` runs them on images and returns a
result. Nothing here imports PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
