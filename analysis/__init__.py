"""What a simulation did, measured: firing, reconstruction, agreement of two runs, the report.

Here belong pure functions on a result, the `xarray.DataTree` that a simulation returns and
`open_result` reads, each family of measures in its own file. They use nothing of how the result
came about: neither Brian2 nor PyTorch. Arrays come back with a long name and units. Figures are
functions of `bioae.analysis.plots`.

Names are imported when they are first used, so that importing the package costs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
