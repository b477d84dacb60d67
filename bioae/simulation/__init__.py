"""Simulation of networks in Brian2: options, Brian2 objects, targets, workers and results.

`simulate` runs a network on data and returns a result; `build` returns its Brian2 objects. A new
target belongs in `targets`, a new kind of worker in `workers`, and Brian2 code that layers or
connections run, such as a learning rule, in `objects`.
Nothing here imports PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
