"""Modules that the command line does not load: they take long, and no command uses them."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

__all__ = ["load_less", "show_dask"]


def load_less() -> None:
    """Refuse modules that libraries load in case they are used; other code sees them missing."""
    sys.meta_path.insert(0, _NotLoaded())
    # xarray would load Dask only to see that arrays are not those of Dask. It looks once whether
    # there is one.
    if "xarray" not in sys.modules:
        sys.modules.setdefault("dask", None)  # type: ignore[arg-type]


def show_dask() -> None:
    """Let Dask load, for a command that uses it."""
    if sys.modules.get("dask", sys) is None:
        del sys.modules["dask"]


class _NotLoaded(MetaPathFinder):
    # Brian2 has pylab for scripts that import all its names; xarray looks for arrays of Dask.
    _NAMES = ("pylab", "dask.array")

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname in self._NAMES:
            raise ModuleNotFoundError(f"the command line does not load {fullname}", name=fullname)
