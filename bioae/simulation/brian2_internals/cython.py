"""The modules that Brian2 compiles with Cython, and keeps on disk."""

from __future__ import annotations

from pathlib import Path

from brian2.codegen.runtime.cython_rt.extension_manager import get_cython_cache_dir

__all__ = ["ieee_cache"]


def ieee_cache() -> str:
    """Return the folder of modules that were compiled without -ffast-math."""
    folder = Path(get_cython_cache_dir())
    return str(folder if folder.name == "ieee" else folder / "ieee")
