"""Schema of a result: opening a file, and checking its attributes, variables and dimensions."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import ConfigDict, Field, ValidationError

from bioae.checks import instance
from bioae.errors import BioaeError, ResultError, describe
from bioae.fields import Steps, Table
from bioae.hdf5 import check_hdf5
from bioae.inputs import check_input
from bioae.simulation.results.root import SCHEMA_VERSION as SCHEMA_VERSION
from bioae.simulation.results.root import check_shape

#: The dimension, and the coordinate, of several presentations of one example.
REPEAT = "repeat"
#: The attribute of a layer that is 0 if its neurons have no threshold; older files have none.
CAN_FIRE = "can_fire"

#: The versions of the format that can be read; 2 added tasks other than reconstruction.
_VERSIONS = (1, SCHEMA_VERSION)

#: The dimensions that the input, and the outputs of other tasks than reconstruction, may have.
_INPUT_DIMS = (
    ("example", "y", "x"), ("example", "channel", "y", "x"), ("example", "time", "channel")
)  # fmt: skip
_OUTPUT_DIMS = (("example", "unit"), ("example", "time", "unit"))
#: Numbers of the presentations; `stimulus` is that of repeats as examples.
_NUMBERS = ("example", "repeat", "stimulus", "label")

#: Kinds of number by NumPy's letters.
_KINDS = {"iu": "whole numbers", "f": "floating-point numbers"}


class _Attributes(Table):
    """The attributes of the root; there may be more."""

    model_config = ConfigDict(extra="ignore")

    dt_ms: float = Field(ge=1e-9, le=1e9)
    steps: Steps
    target: str
    seed: int = Field(ge=0, lt=2**64)
    neuron_model: str
    network_sha256: str
    task: Literal[
        "reconstruction", "classification", "regression", "sequence", "representation"
    ] = "reconstruction"


def open_result(path: Path | str, *, lazy: bool = False) -> xr.DataTree:
    """Read a result from a file, and check its structure.

    Parameters
    ----------
    path
        A netCDF file written by a simulation.
    lazy
        Whether to leave spikes and images on disk until they are used, for results larger than
        memory: all measures read them in blocks. The file stays open until the tree is closed
        (``with open_result(path, lazy=True) as tree``).

    Raises
    ------
    ResultError
        If there is no such file, it is truncated or not a result, or it has another version; if it
        refers to other files, or declares more than it holds.
    """
    path = check_input(path, ResultError, "result")
    if not path.is_file():
        raise ResultError(
            "this is a folder" if path.is_dir() else "there is no such file",
            where=str(path),
            expected="the result of a simulation",
        )
    with ExitStack() as opened:
        with readable(path, anywhere=True), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of attributes that are none of ours
            check_hdf5(path)
            # Nothing is a date.
            tree = xr.open_datatree(path, engine="h5netcdf", decode_times=False)
            opened.callback(tree.close)
        check_result(tree, where=str(path))
        if lazy:
            opened.pop_all()
            return tree
        with readable(path, anywhere=True):
            return tree.load()


@contextmanager
def readable(path: Path | str, *, anywhere: bool = False) -> Iterator[None]:
    """Turn errors of reading a file into a `ResultError` that calls it damaged.

    Parameters
    ----------
    anywhere
        Whether all errors count, and not only those within the libraries that read values.
    """
    try:
        yield
    except (BioaeError, MemoryError):
        raise
    except Exception as error:
        modules = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
        if not anywhere and not {"h5netcdf", "h5py"} & {name.split(".")[0] for name in modules}:
            raise
        raise ResultError(
            "the file cannot be read as netCDF4; it is truncated or of another kind",
            where=str(path),
            expected="the result of a simulation",
            found=str(error),
            hint="Simulate again, or name another file",
        ) from error


def check_result(tree: xr.DataTree, *, where: str = "result") -> None:
    """Raise a `ResultError` if a tree is not a valid result, naming what is missing or wrong."""
    _check_version(tree, where)
    try:
        _Attributes.model_validate({str(k): _plain(v) for k, v in tree.attrs.items()})
    except ValidationError as error:
        raise ResultError(**describe(error), where=f"{where}, attributes") from None
    repeat = (REPEAT,) if REPEAT in tree.dims else ()
    _check_root(tree, repeat, where)
    for name in _NUMBERS:
        if name in tree.variables:
            _check_kind(tree, name, "iu", where)
    if "example" not in tree.coords or tree["example"].dims != ("example",):
        raise ResultError("a coordinate is missing", where=where, expected="'example'")
    for name in ("example", *repeat):
        index = tree[name].to_index()
        if not index.is_unique:
            repeated = index[index.duplicated()][0]
            raise ResultError(f"the {name} {repeated} is there twice", where=where)
    if "layers" not in tree.children or not tree["layers"].children:
        raise ResultError("there are no layers", where=where, expected="groups /layers/NAME")
    for name, node in tree["layers"].children.items():
        _check_layer(node, repeat, f"{where}, layer {name!r}")


def _check_root(tree: xr.DataTree, repeat: tuple[str, ...], where: str) -> None:
    """Check the dimensions of the input, the outputs and their targets, in any order."""
    _check_dims(tree, "input", _INPUT_DIMS, where)
    task = tree.attrs.get("task", "reconstruction")
    if task == "reconstruction":
        _check_dims(tree, "reconstruction", ((*tree["input"].dims, *repeat),), where)
        return
    dims = _OUTPUT_DIMS[task == "sequence"]
    _check_dims(tree, "output", ((*dims, *repeat),), where)
    if "time" in dims and tree["output"].sizes["time"] != tree.attrs["steps"]:
        raise ResultError("there is not one output for each of `steps`", where=where)
    if "target" in tree.variables:
        _check_dims(tree, "target", (dims,), where)


def _check_dims(
    tree: xr.DataTree,
    name: str,
    allowed: Sequence[tuple[Hashable, ...]],
    where: str,
    *,
    kind: str = "f",
    key: Callable[[Any], Any] = set,
) -> None:
    present = name in tree.data_vars
    if not present or key(tree[name].dims) not in [key(dims) for dims in allowed]:
        raise ResultError(
            f"{name!r} is missing or has other dimensions",
            where=where,
            expected=" or ".join(f"({', '.join(map(str, dims))})" for dims in allowed),
            found=str(tree[name].dims) if present else None,
        )
    _check_kind(tree, name, kind, where)


def _check_version(tree: xr.DataTree, where: str) -> None:
    instance(tree, where, xr.DataTree, error=ResultError)
    version = tree.attrs.get("schema_version")
    if version is None:
        raise ResultError(
            "this is not the result of a simulation",
            where=where,
            expected="an attribute 'schema_version'",
        )
    if np.ndim(version) or version not in _VERSIONS:
        raise ResultError(
            "the result has another version",
            where=where,
            expected=f"schema_version {' or '.join(map(str, _VERSIONS))}",
            found=str(version),
            hint="Simulate again, or use the version of bioae that wrote it",
        )


def _check_layer(node: xr.DataTree, repeat: tuple[str, ...], where: str) -> None:
    """Check the variables of a layer, whose dimensions are in order."""
    _check_dims(node, "spike_count", (("example", *repeat, "neuron"),), where, kind="iu", key=tuple)
    spikes = ("spike_example", *[f"spike_{name}" for name in repeat], "spike_neuron")
    for name in (*spikes, "spike_time_ms"):
        kind = "iu" if name in spikes else "f"
        _check_dims(node, name, (("spike",),), where, kind=kind, key=tuple)
    can_fire = _plain(node.attrs.get(CAN_FIRE, 1))
    if not isinstance(can_fire, int) or can_fire not in (0, 1):
        raise ResultError(
            "it is not known whether the neurons can fire",
            where=f"{where}, attribute {CAN_FIRE!r}",
            expected="1 or 0",
            found=str(can_fire),
        )
    if not can_fire and node.sizes["spike"]:
        raise ResultError("neurons that cannot fire have spikes", where=where)
    check_shape(node, where)


def _check_kind(node: xr.DataTree, name: str, kind: str, where: str) -> None:
    found = node[name].dtype
    if found.kind not in kind:
        raise ResultError(
            f"{name!r} has the wrong type",
            where=where,
            expected=_KINDS[kind],
            found=str(found),
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
