"""The ``bioae`` accessor: ``tree.bioae`` has the functions of `bioae.analysis` as methods.

Importing `bioae.analysis`, or simulating, adds the attribute ``bioae`` to every `xarray.DataTree`.
``tree.bioae.isi_cv("latent")`` calls ``bioae.analysis.isi_cv(tree, "latent")``, and both have the
same help text.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from difflib import get_close_matches
from pkgutil import iter_modules
from types import MethodType
from typing import Any, TypeGuard

import xarray as xr

__all__ = ["Accessor"]

#: `bioae.analysis`, whose functions these are.
_PACKAGE = sys.modules[__name__.rpartition(".")[0]]


@xr.register_datatree_accessor("bioae")  # type: ignore[no-untyped-call, unused-ignore]
class Accessor:
    """The functions of `bioae.analysis` that take a result first, bound to one result.

    Parameters
    ----------
    tree
        The result.
    """

    __slots__ = ("_tree",)

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in dir(_PACKAGE):
            function = getattr(_PACKAGE, name)
            if _takes_a_result(function):
                return MethodType(function, self._tree)
            raise AttributeError(
                f"{name!r} does not take a result first: use bioae.analysis.{name}"
            )
        # copy and pickle look up special names before the tree is set.
        known = [] if name.startswith("_") else _names()
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "dir(tree.bioae) lists those there are"
        message = f"bioae.analysis has no function {name!r} of a result; {hint}"
        raise AttributeError(message, name=name, obj=None)  # or Python appends its guess to ours

    def __dir__(self) -> list[str]:
        return _names()

    def __repr__(self) -> str:
        return f"<bioae.analysis of this result: {len(_names())} functions, see dir(tree.bioae)>"


def _names() -> list[str]:
    modules = {each.name for each in iter_modules(_PACKAGE.__path__)}  # not imported for a listing
    names = [name for name in dir(_PACKAGE) if name not in modules and "check" not in name]
    return [name for name in names if _takes_a_result(getattr(_PACKAGE, name))]


def _takes_a_result(exported: object) -> TypeGuard[Callable[..., Any]]:
    if not inspect.isfunction(exported):
        return False
    first = next(iter(inspect.signature(exported).parameters.values()), None)
    return first is not None and str(first.annotation).startswith("xr.DataTree")
