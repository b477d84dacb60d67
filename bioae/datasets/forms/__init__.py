"""Forms of data: one conversion function per form, chosen by the attributes of an object.

To add a form, decorate a function with `form` in a module of this folder, and list the module
below. Forms that are registered later take precedence.
"""

from __future__ import annotations

from bioae.datasets.forms import arrays, data_sets, paths, pictures, recordings
from bioae.datasets.forms.registry import Request, form

__all__ = ["Request", "form"]

#: The modules whose functions are registered.
MODULES = (arrays, data_sets, paths, pictures, recordings)
