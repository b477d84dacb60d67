"""``tree.bioae``: the functions of `bioae.analysis` as methods of a result.

Importing this module, or `bioae.analysis.open_result`, gives every `xarray.DataTree` the attribute
``bioae``. It computes nothing: ``tree.bioae.isi_cv("latent")`` is
``bioae.analysis.isi_cv(tree, "latent")``, and ``help`` of the one shows the text of the other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from types import MethodType
from typing import Any, TypeGuard

import xarray as xr

from bioae import analysis

__all__ = ["Accessor"]


class Accessor:
    """The functions of `bioae.analysis` whose first argument is a result, of this result.

    Parameters
    ----------
    tree
        The result.
    """

    __slots__ = ("_tree",)

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in dir(analysis):
            function = getattr(analysis, name)
            if _takes_a_result(function):
                return MethodType(function, self._tree)
            raise AttributeError(f"{name!r} is not of one result: use bioae.analysis.{name}")
        # Copying and unpickling ask for special names, before there is a tree.
        known = [] if name.startswith("_") else _names()
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "dir(tree.bioae) lists those there are"
        what = f"bioae.analysis has no function {name!r} of a result; {hint}"
        raise AttributeError(what, name=name, obj=None)  # or Python appends its guess to ours

    def __dir__(self) -> list[str]:
        return [*dir(type(self)), *_names()]

    def __repr__(self) -> str:
        return f"<bioae.analysis of this result: {len(_names())} functions, see dir(tree.bioae)>"


def _names() -> list[str]:
    return [name for name in dir(analysis) if _takes_a_result(getattr(analysis, name))]


def _takes_a_result(exported: object) -> TypeGuard[Callable[..., Any]]:
    if not inspect.isfunction(exported):
        return False
    first = next(iter(inspect.signature(exported).parameters.values()), None)
    return first is not None and first.annotation in ("xr.DataTree", xr.DataTree)


def _register() -> None:
    """Give trees the attribute; in place of an earlier one of ours, for a module may be reloaded.

    xarray warns where the attribute is already there, which is right if another library made it.
    """
    before = getattr(xr.DataTree, "bioae", None)
    if getattr(before, "__module__", None) == __name__:
        delattr(xr.DataTree, "bioae")
    register = xr.register_datatree_accessor("bioae")  # type: ignore[no-untyped-call, unused-ignore]
    register(Accessor)


_register()
