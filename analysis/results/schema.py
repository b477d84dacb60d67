"""Schema of a result: opening a file, and checking its attributes, variables and dimensions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from bioae.checks import instance
from bioae.errors import ResultError
from bioae.simulation.results.tree import SCHEMA_VERSION

__all__ = ["SCHEMA_VERSION", "check_result", "open_result", "readable"]

_ATTRIBUTES = ("dt_ms", "steps", "target", "seed", "neuron_model", "network_sha256")
_IMAGE_DIMS = ({"example", "y", "x"}, {"example", "channel", "y", "x"})
_LAYER_DIMS = {
    "spike_count": ("example", "neuron"),
    "spike_example": ("spike",),
    "spike_neuron": ("spike",),
    "spike_time_ms": ("spike",),
}


def open_result(path: Path | str, *, lazy: bool = False) -> xr.DataTree:
    """Read a result from a file.

    Parameters
    ----------
    path
        A netCDF file written by a simulation.
    lazy
        Whether to leave spikes and images on disk until they are used, for results larger than
        memory: all measures read them by blocks. The file stays open until the tree is closed
        (``with open_result(path, lazy=True) as tree``).

    Raises
    ------
    ResultError
        If there is no such file, it is truncated or not a result, or its version is another.
    """
    if not Path(path).is_file():
        raise ResultError(
            "there is no such file", where=str(path), expected="the result of a simulation"
        )
    with readable(path):
        # A foreign HDF5 file may have axes without a name, which raise no error if numbered.
        tree = xr.open_datatree(path, engine="h5netcdf", phony_dims="sort")
    try:
        if not lazy:
            with readable(path):
                tree = tree.load()
        check_result(tree, where=str(path))
    except BaseException:
        tree.close()
        raise
    if not lazy:
        tree.close()
    return tree


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Turn errors of reading a file into a `ResultError` that calls it damaged.

    Raises
    ------
    ResultError
        If reading fails.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ResultError(
            "the file cannot be read as netCDF4; it is truncated or of another kind",
            where=str(path),
            expected="the result of a simulation",
            found=str(error),
            mend="Simulate again, or name another file",
        ) from error


def check_result(tree: xr.DataTree, *, where: str = "result") -> None:
    """Check that a tree is a result of the supported version.

    Raises
    ------
    ResultError
        Naming the first attribute, variable or dimension that is missing or wrong.
    """
    _check_version(tree, where)
    for name in _ATTRIBUTES:
        if name not in tree.attrs:
            raise ResultError("an attribute is missing", where=where, expected=repr(name))
    for name in ("input", "reconstruction"):
        if name not in tree.data_vars or set(tree[name].dims) not in _IMAGE_DIMS:
            raise ResultError(
                f"{name!r} is missing or has other dimensions",
                where=where,
                expected="(example, y, x) or (example, channel, y, x)",
                found=str(tree[name].dims) if name in tree.data_vars else None,
            )
    if "example" not in tree.coords:
        raise ResultError("a coordinate is missing", where=where, expected="'example'")
    if "layers" not in tree.children or not tree["layers"].children:
        raise ResultError("there are no layers", where=where, expected="groups /layers/NAME")
    for name, node in tree["layers"].children.items():
        _check_layer(node, f"{where}, layer {name!r}")


def _check_version(tree: xr.DataTree, where: str) -> None:
    instance(tree, where, xr.DataTree, error=ResultError)
    version = tree.attrs.get("schema_version")
    if version is None:
        raise ResultError(
            "this is not the result of a simulation",
            where=where,
            expected="an attribute 'schema_version'",
        )
    if version != SCHEMA_VERSION:
        raise ResultError(
            "the result has another version",
            where=where,
            expected=f"schema_version {SCHEMA_VERSION}",
            found=str(version),
            mend="Simulate again, or use the version of bioae that wrote it",
        )


def _check_layer(node: xr.DataTree, where: str) -> None:
    for name, dims in _LAYER_DIMS.items():
        if name not in node.data_vars or node[name].dims != dims:
            raise ResultError(
                f"{name!r} is missing or has other dimensions",
                where=where,
                expected=str(dims),
                found=str(node[name].dims) if name in node.data_vars else None,
            )
