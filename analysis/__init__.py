"""Analysis of results: firing, coding, reconstruction, comparison, figures and the report.

Functions take a result, the `xarray.DataTree` that a simulation returns and `open_result` reads, or
the path of its file, and return xarray objects with a long name and units. They raise a
`ResultError` for another object, for a layer or an example that the result has not, for a layer
that cannot fire, where the measure needs labels, targets, repeats, another task or more examples
or neurons than there are, and for an argument that does not fit. A measure of a layer that is
called without one returns a dictionary of all layers that can fire.

A new measure goes into the folder and file of its family (`firing`, `pairs`, `coding`) and into the
list of exports, ``__init__.pyi``. A number of a layer that files and the report show also needs a
definition in `measures`. Nothing here depends on the simulator: neither Brian2 nor PyTorch is
imported. Figures are functions of `bioae.analysis.plots`.

Names are imported on first use; importing the package adds ``tree.bioae`` to trees of xarray.
"""

import lazy_loader

from bioae.analysis import accessor as _accessor  # noqa: F401 - registers itself

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
