"""The ``bioae`` accessor: ``tree.bioae`` has the functions of `bioae.analysis` as methods.

Importing `bioae.analysis`, or simulating, adds the attribute ``bioae`` to every `xarray.DataTree`.
``tree.bioae.isi_cv("latent")`` calls ``bioae.analysis.isi_cv(tree, "latent")``, and
``tree.bioae.plot.rasters()`` calls ``bioae.analysis.plots.rasters(tree)``, with the same help text.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules
from types import MethodType, ModuleType
from typing import Any, TypeGuard

import xarray as xr

#: `bioae.analysis`, whose functions these are.
_PACKAGE = sys.modules[__name__.rpartition(".")[0]]
#: Parts of other measures, which are not listed.
_PARTS = {"blocks", "check_comparable", "context_of", "interval_sums"}
#: The types of a first argument that may be a result.
_RESULTS = ("xr.DataTree", "Results", "Measured")


class _Bound:
    """The functions of a package that take a result first, bound to one result."""

    __slots__ = ("_tree",)

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    @property
    def _source(self) -> tuple[ModuleType, str]:
        """The package, and the expression in messages for an object of this class."""
        return _PACKAGE, "tree.bioae"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        package, own = self._source
        if name in dir(package):
            function = getattr(package, name)
            if _takes_a_result(function):
                return MethodType(function, self._tree)
            raise AttributeError(
                f"{name!r} does not take a result first: use {package.__name__}.{name}"
            )
        # copy and pickle look up special names before the tree is set.
        known = [] if name.startswith("_") else _names(package)
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"dir({own}) lists those there are"
        message = f"{package.__name__} has no function {name!r} of a result; {hint}"
        raise AttributeError(message, name=name, obj=None)  # or Python appends its guess to ours

    def __dir__(self) -> list[str]:
        return _names(self._source[0])

    def __repr__(self) -> str:
        package, own = self._source
        number = len(_names(package))
        return f"<{package.__name__} of this result: {number} functions, see dir({own})>"


class Figures(_Bound):
    """The functions of `bioae.analysis.plots` that draw a result, bound to one."""

    __slots__ = ()

    @property
    def _source(self) -> tuple[ModuleType, str]:
        return import_module(f"{_PACKAGE.__name__}.plots"), "tree.bioae.plot"


@xr.register_datatree_accessor("bioae")  # type: ignore[no-untyped-call, unused-ignore]
class Accessor(_Bound):
    """The functions of `bioae.analysis` that take a result first, bound to one result."""

    __slots__ = ()

    @property
    def plot(self) -> Figures:
        """The figures of this result, functions of `bioae.analysis.plots`."""
        return Figures(self._tree)

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
