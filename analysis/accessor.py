"""The ``bioae`` accessor: ``tree.bioae`` has the functions of `bioae.analysis` as methods.

Importing `bioae.analysis`, or simulating, adds the attribute ``bioae`` to every `xarray.DataTree`.
``tree.bioae.isi_cv("latent")`` calls ``bioae.analysis.isi_cv(tree, "latent")``, and
``tree.bioae.plot.rasters()`` calls ``bioae.analysis.plots.rasters(tree)``, with the same help text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from types import MethodType, ModuleType
from typing import Any, TypeGuard

import xarray as xr

#: `bioae.analysis`, whose functions these are.
_PACKAGE = __name__.rpartition(".")[0]
#: Parts of other measures, which are not listed.
_PARTS = {"blocks", "check_comparable", "context_of", "interval_sums"}
#: The types of a first argument that may be a result.
_RESULTS = ("xr.DataTree", "Results", "Measured")


class _Bound:
    """The functions of a package that take a result first, bound to one result."""

    def __init__(self, tree: xr.DataTree, package: str) -> None:
        self._tree, self._package = tree, package

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):  # copy and pickle look up special names before the tree is set
            raise AttributeError(name)
        package = import_module(self._package)
        if name in dir(package):
            function = getattr(package, name)
            if _takes_a_result(function):
                return MethodType(function, self._tree)
            raise AttributeError(
                f"{name!r} does not take a result first: use {package.__name__}.{name}"
            )
        # With the object, Python suggests a name of `dir`.
        message = f"{package.__name__} has no function {name!r} of a result"
        raise AttributeError(message, name=name, obj=self)

    def __dir__(self) -> list[str]:
        return _names(import_module(self._package))


@xr.register_datatree_accessor("bioae")  # type: ignore[no-untyped-call, unused-ignore]
class Accessor(_Bound):
    """The functions of `bioae.analysis` that take a result first, bound to one result."""

    def __init__(self, tree: xr.DataTree) -> None:
        super().__init__(tree, _PACKAGE)

    @property
    def plot(self) -> _Bound:
        """The figures of this result, functions of `bioae.analysis.plots`."""
        return _Bound(self._tree, f"{_PACKAGE}.plots")

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), "plot"])


def _names(package: ModuleType) -> list[str]:
    # Neither modules nor the reports, which draw, are imported for a listing.
    left_out = (
        _PARTS
        | {"write_page", "write_report"}
        | {each.name for each in iter_modules(package.__path__)}
    )
    names = [name for name in dir(package) if name not in left_out]
    return [name for name in names if _takes_a_result(getattr(package, name))]


def _takes_a_result(exported: object) -> TypeGuard[Callable[..., Any]]:
    if not inspect.isfunction(exported):
        return False
    first = next(iter(inspect.signature(exported).parameters.values()), None)
    return first is not None and str(first.annotation).startswith(_RESULTS)
