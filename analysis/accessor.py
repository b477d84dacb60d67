"""The ``bioae`` accessor: ``tree.bioae`` has the functions of `bioae.analysis` as methods.

`bioae` registers the attribute ``bioae`` on every `xarray.DataTree` as soon as both are imported.
``tree.bioae.isi_cv("latent")`` calls ``bioae.analysis.isi_cv(tree, "latent")``, and both have the
same help text.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from pkgutil import iter_modules
from types import MethodType, ModuleType
from typing import Any, ClassVar, TypeGuard

import xarray as xr

__all__ = ["Accessor", "register"]


class Accessor:
    """The functions of `bioae.analysis` that take a result first, bound to one result.

    Parameters
    ----------
    tree
        The result.
    """

    __slots__ = ("_tree",)

    #: The package whose functions these are; it registers itself.
    _package: ClassVar[ModuleType]

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in dir(self._package):
            function = getattr(self._package, name)
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
        return [*dir(type(self)), *_names()]

    def __repr__(self) -> str:
        return f"<bioae.analysis of this result: {len(_names())} functions, see dir(tree.bioae)>"


def _names() -> list[str]:
    package = Accessor._package
    modules = {each.name for each in iter_modules(package.__path__)}  # not imported for a listing
    names = [name for name in dir(package) if name not in modules]
    return [name for name in names if _takes_a_result(getattr(package, name))]


def _takes_a_result(exported: object) -> TypeGuard[Callable[..., Any]]:
    if not inspect.isfunction(exported):
        return False
    first = next(iter(inspect.signature(exported).parameters.values()), None)
    return first is not None and first.annotation in ("xr.DataTree", xr.DataTree)


def register(package: ModuleType) -> None:
    """Register the accessor of a package's functions, replacing an earlier one of bioae.

    xarray warns where another library has registered the attribute.

    Parameters
    ----------
    package
        `bioae.analysis`.
    """
    Accessor._package = package
    earlier = getattr(xr.DataTree, "bioae", None)
    if earlier is Accessor:
        return
    if getattr(earlier, "__module__", None) == __name__:
        delattr(xr.DataTree, "bioae")
    decorate = xr.register_datatree_accessor("bioae")  # type: ignore[no-untyped-call, unused-ignore]
    decorate(Accessor)
