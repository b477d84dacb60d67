"""Schema of a result: its attributes, variables and dimensions, checked on reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import ConfigDict, Field, ValidationError

from bioae.checks import instance
from bioae.errors import ResultError, describe, shortened
from bioae.fields import Steps, Table
from bioae.simulation.results.root import MOST_STEPS, RECORDING, SCHEMA_VERSION, check_shape

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


class _Recording(Table):
    """The attributes of the root of recorded spikes; there may be more."""

    model_config = ConfigDict(extra="ignore")

    schema_version: int
    dt_ms: float = Field(ge=1e-9, le=1e9)
    steps: int = Field(ge=1, le=MOST_STEPS)


class _Simulation(_Recording):
    """The attributes of the root of a simulation."""

    steps: Steps
    target: str
    seed: int = Field(ge=0, lt=2**64)
    neuron_model: str
    network_sha256: str
    task: Literal[
        "reconstruction", "classification", "regression", "sequence", "representation"
    ] = "reconstruction"


def check_result(tree: xr.DataTree, *, where: str = "result") -> None:
    """Raise a `ResultError` if a tree is not a valid result, naming what is missing or wrong."""
    instance(tree, where, xr.DataTree, error=ResultError)
    attributes = _Recording if _task(tree) == RECORDING else _Simulation
    _check_version(tree, where)
    required = [name for name, field in attributes.model_fields.items() if field.is_required()]
    missing = [name for name in required if name not in tree.attrs]
    try:
        if not missing:
            attributes.model_validate({str(k): _plain(v) for k, v in tree.attrs.items()})
    except ValidationError as error:
        raise ResultError(**describe(error), where=f"{where}, attributes") from None
    _check_complete(tree, missing, where)
    if tree["example"].dims != ("example",):
        hint = "Select one with isel(example=[0])"
        raise ResultError("the result has no dimension 'example'", where=where, hint=hint)
    repeat = (REPEAT,) if REPEAT in tree.dims else ()
    _check_root(tree, repeat, where)
    for name in _NUMBERS:
        if name in tree.variables:
            _check_kind(tree, name, "iu", where)
    for name in ("example", *repeat):
        index = tree[name].to_index()
        if not index.is_unique:
            repeated = index[index.duplicated()][0]
            raise ResultError(f"the {name} {repeated} is there twice", where=where)
    for name, node in tree["layers"].children.items():
        _check_layer(node, repeat, f"{where}, layer {name!r}")


def _check_complete(tree: xr.DataTree, missing: list[str], where: str) -> None:
    """Raise a `ResultError` that lists everything that a tree lacks, with missing attributes."""
    repeat = (f"spike_{REPEAT}",) if REPEAT in tree.dims else ()
    layers = tree.children["layers"].children if "layers" in tree.children else {}
    outputs = {RECORDING: (), "reconstruction": ("input", "reconstruction")}
    spikes = ("spike_count", "spike_example", *repeat, "spike_neuron", "spike_time_ms")
    lacking = {
        "attributes": missing,
        "coordinates": [name for name in ("example",) if name not in tree.coords],
        "variables": [
            *(n for n in outputs.get(_task(tree), ("input", "output")) if n not in tree.data_vars),
            *(f"layers/{n}/{v}" for n in layers for v in spikes if v not in layers[n].data_vars),
        ],
        "groups": [] if layers else ["layers/NAME"],
    }
    if any(lacking.values()):
        foreign = "schema_version" not in tree.attrs
        texts = (f"{kind} {', '.join(names)}" for kind, names in lacking.items() if names)
        raise ResultError(
            "this is not the result of a simulation" if foreign else "the result is incomplete",
            where=where, expected=shortened("; ".join(texts), 1000),
            hint="Spikes from elsewhere: bioae.analysis.from_monitors" if foreign else None,
        )  # fmt: skip


def _task(tree: xr.DataTree) -> str:
    return str(tree.attrs.get("task", "reconstruction"))


def _check_root(tree: xr.DataTree, repeat: tuple[str, ...], where: str) -> None:
    """Check the dimensions of the input, the outputs and their targets, in any order."""
    task = _task(tree)
    if task != RECORDING or "input" in tree.data_vars:
        _check_dims(tree, "input", _INPUT_DIMS, where)
    if task == RECORDING:
        return
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
    if key(tree[name].dims) not in [key(dims) for dims in allowed]:
        raise ResultError(
            f"{name!r} has other dimensions", where=where,
            expected=" or ".join(f"({', '.join(map(str, dims))})" for dims in allowed),
            found=str(tree[name].dims),
        )  # fmt: skip
    _check_kind(tree, name, kind, where)


def _check_version(tree: xr.DataTree, where: str) -> None:
    version = tree.attrs.get("schema_version", SCHEMA_VERSION)
    if np.ndim(version) or version not in _VERSIONS:
        raise ResultError(
            "the result has another version", where=where, found=str(version),
            expected=f"schema_version {' or '.join(map(str, _VERSIONS))}",
            hint="Simulate again, or use the version of bioae that wrote it",
        )  # fmt: skip


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
            where=f"{where}, attribute {CAN_FIRE!r}", expected="1 or 0", found=str(can_fire),
        )  # fmt: skip
    if not can_fire and node.sizes["spike"]:
        raise ResultError("neurons that cannot fire have spikes", where=where)
    check_shape(node, where)


def _check_kind(node: xr.DataTree, name: str, kind: str, where: str) -> None:
    found = node[name].dtype
    if found.kind not in kind:
        raise ResultError(
            f"{name!r} has the wrong type", where=where, expected=_KINDS[kind], found=str(found)
        )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
