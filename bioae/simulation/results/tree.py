"""The result of a simulation as a tree of spikes and images.

`docs/result.md` specifies every variable. The Brian2 targets and the PyTorch mirror both build
their results here, so any analysis reads either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Required, TypedDict, Unpack

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.errors import ResultError
from bioae.simulation.results.chunk import LayerSpikes

__all__ = [
    "SCHEMA_VERSION",
    "Root",
    "build_result",
    "group_of",
    "layer_dataset",
    "root_dataset",
    "versions",
]

#: The version of the format of results.
SCHEMA_VERSION = 2

_VERSIONED = ("bioae", "brian2", "numpy")


class Root(TypedDict, total=False):
    """Contents of the root of a result.

    Attributes
    ----------
    images
        (example, channel, y, x) The images that were presented, in [0, 1]; or signals
        (example, time, channel).
    task
        The kind of the network's task, ``"reconstruction"`` by default.
    reconstruction
        Of that task: the decoded images, of the shape of `images`.
    output, desired
        Of any other task: (example, unit) or (example, time, unit) The decoded output, and the
        target of it where known.
    example
        (example,) The index of each image in its data set, each at most once.
    dt_ms, steps
        The length of a step in milliseconds, and the number of steps of a presentation.
    target
        The side that ran the network: a Brian2 target, or ``"torch"`` for the mirror.
    seed
        The seed of every random number.
    neuron_model
        The text of the neuron model.
    network_sha256
        The hash of the network that ran.
    label
        (example,) The class of each image, where known.
    attrs
        Further attributes of the root.
    """

    images: Required[NDArray[np.floating[Any]]]
    example: Required[NDArray[np.integer[Any]]]
    dt_ms: Required[float]
    steps: Required[int]
    target: Required[str]
    seed: Required[int]
    neuron_model: Required[str]
    network_sha256: Required[str]
    label: NDArray[np.integer[Any]] | None
    attrs: Mapping[str, str | int | float] | None
    task: str
    reconstruction: NDArray[np.floating[Any]]
    output: NDArray[np.floating[Any]]
    desired: NDArray[np.floating[Any]] | None


def build_result(*, layers: Sequence[LayerSpikes], **root: Unpack[Root]) -> xr.DataTree:
    """Build the tree of a result.

    Parameters
    ----------
    layers
        The layers in order, from the input's side.
    **root
        The contents of the root, see `Root`.

    Returns
    -------
    xarray.DataTree
        The result, with the spikes sorted by example, time and neuron.

    Raises
    ------
    ResultError
        If the parts do not fit together: shapes that differ, a repeated example or layer, a spike
        outside its layer or presentation, a neuron that spikes twice in a step.
    """
    _check_names(layers)
    data = root_dataset(**root)
    index, dt_ms, steps = data["example"].to_numpy(), data.attrs["dt_ms"], data.attrs["steps"]
    nodes = {f"/layers/{layer.name}": layer_dataset(layer, index, dt_ms, steps) for layer in layers}
    return xr.DataTree.from_dict({"/": data, **nodes})


def root_dataset(**root: Unpack[Root]) -> xr.Dataset:
    """Build the root of a result, see `Root`.

    Raises
    ------
    ResultError
        If the parts do not fit together, or an example is repeated.
    """
    index: NDArray[np.int64] = np.asarray(root["example"], dtype=np.int64)
    images, outputs = root["images"], _outputs(root)
    _check_images(images, outputs, index, root.get("label"))
    data = _root(images, outputs, index, root.get("label"))
    data.attrs = {
        "schema_version": SCHEMA_VERSION,
        "task": root.get("task", "reconstruction"),
        "dt_ms": float(root["dt_ms"]),
        "steps": int(root["steps"]),
        "target": root["target"],
        "seed": int(root["seed"]),
        "neuron_model": root["neuron_model"],
        "network_sha256": root["network_sha256"],
        **{f"{package}_version": number for package, number in versions().items()},
        **(root.get("attrs") or {}),
    }
    return data


def group_of(tree: xr.DataTree, path: str) -> xr.Dataset:
    """Return a group of a result, without inherited coordinates."""
    node = tree[path]
    assert isinstance(node, xr.DataTree)
    return node.to_dataset(inherit=False)


def layer_dataset(
    layer: LayerSpikes, example: NDArray[np.int64], dt_ms: float, steps: int
) -> xr.Dataset:
    """Build the group of a layer: its spikes in order, their counts, its states and coordinates.

    Parameters
    ----------
    example
        (example,) The coordinate `example` of the result.

    Raises
    ------
    ResultError
        If the spikes do not fit the layer or its presentations, or a recorded state has a wrong
        shape.
    """
    layer.check(example.size, steps)
    each = layer.counts.sum(1, np.int64)
    time = np.tile(np.arange(steps) * dt_ms, example.size)
    data = xr.Dataset(
        {
            "spike_count": (("example", "neuron"), layer.spike_count(), _describe("spikes", "1")),
            "spike_example": (
                "spike",
                np.repeat(example, each),
                _describe("value of the coordinate `example`"),
            ),
            "spike_neuron": (
                "spike",
                layer.neuron.astype(np.int32, copy=False),
                _describe("neuron, from 0, in C order of the layer's shape"),
            ),
            "spike_time_ms": (
                "spike",
                np.repeat(time, layer.counts.ravel()),
                _describe("time since the start of the presentation", "ms"),
            ),
        },
        coords=_neuron_coordinates(layer.shape),
        attrs={"shape": _shape_attribute(layer.shape)},
    )
    return _with_states(data, layer, (example.size, steps, layer.size), dt_ms)


def versions() -> dict[str, str]:
    """Return the versions of the packages that a result depends on."""
    return {package: version(package) for package in _VERSIONED}


def _outputs(root: Root) -> dict[str, NDArray[Any]]:
    """Return the decoded outputs and their targets, by the names of their variables."""
    if "output" not in root:
        return {"reconstruction": root["reconstruction"]}
    desired = root.get("desired")
    return {"output": root["output"], **({} if desired is None else {"target": desired})}


def _root(
    images: NDArray[Any],
    outputs: Mapping[str, NDArray[Any]],
    example: NDArray[np.int64],
    label: NDArray[Any] | None,
) -> xr.Dataset:
    dims = _input_dims(images)
    root = xr.Dataset(
        {
            "input": (
                dims,
                images[:, 0] if len(dims) < images.ndim else images,
                _describe("input", "1"),
            )
        },
        coords={"example": ("example", example, _describe("index in the data set"))},
    )
    for name, values in outputs.items():
        if name == "reconstruction":
            root[name] = (dims, values[:, 0] if len(dims) < values.ndim else values)
        else:
            root[name] = (("example", *(["time"] if values.ndim == 3 else []), "unit"), values)
        root[name].attrs = _describe(name, "1")
    if label is not None:
        root["label"] = ("example", np.asarray(label), _describe("class of the image"))
    return root


def _input_dims(images: NDArray[Any]) -> tuple[str, ...]:
    """Return the dimensions of the stored input: a single channel of images has none."""
    if images.ndim == 3:
        return ("example", "time", "channel")
    return ("example", "y", "x") if images.shape[1] == 1 else ("example", "channel", "y", "x")


def _check_images(
    images: NDArray[Any],
    outputs: Mapping[str, NDArray[Any]],
    example: NDArray[np.int64],
    label: NDArray[Any] | None,
) -> None:
    axes = {4: "(example, channel, y, x)", 3: "(example, time, channel)"}
    if "reconstruction" in outputs:  # of images only
        del axes[3]
    if images.ndim not in axes or not images.size:
        raise ResultError(
            "the images do not fit",
            expected=f"{' or '.join(axes.values())}, and not empty",
            found=str(images.shape),
        )
    first = next(iter(outputs.values()))
    shape = images.shape if "reconstruction" in outputs else (len(images), *first.shape[1:])
    for name, values in outputs.items():
        if values.shape != shape or ("output" in outputs and values.ndim not in (2, 3)):
            raise ResultError(
                f"images and {name} do not fit", expected=str(shape), found=str(values.shape)
            )
        if not np.isfinite(values).all():
            raise ResultError(
                "the network's output is not finite",
                where=name,
                mend="Look for parameters, weights or noise that are too large, or use a smaller "
                "dt",
            )
    for name, numbers in (("example", example), ("label", label)):
        if numbers is not None and np.shape(numbers) != images.shape[:1]:
            raise ResultError(
                f"{name} does not fit the images",
                expected=str(images.shape[:1]),
                found=str(np.shape(numbers)),
            )
    ordered = np.sort(example)
    repeated = ordered[1:][np.diff(ordered) == 0]
    if repeated.size:
        raise ResultError(
            "an example is repeated",
            where="example",
            expected="each index once",
            found=f"{repeated[0]} again",
        )


def _check_names(layers: Sequence[LayerSpikes]) -> None:
    names = sorted(layer.name for layer in layers)
    if not names:
        raise ResultError("there are no layers", expected="at least one")
    for name in names:
        if not name or "/" in name or name in {".", ".."}:
            raise ResultError(
                "a layer's name cannot be that of a group",
                expected="a word without '/'",
                found=repr(name),
            )
    for name, following in pairwise(names):
        if name == following:
            raise ResultError("two layers have the same name", found=repr(name))


def _with_states(
    data: xr.Dataset, layer: LayerSpikes, shape: tuple[int, int, int], dt_ms: float
) -> xr.Dataset:
    for name, (values, units) in layer.states.items():
        if np.shape(values) != shape:
            raise ResultError(
                f"the recorded {name!r} has a wrong shape (example, time, neuron)",
                where=f"layer {layer.name!r}",
                expected=str(shape),
                found=str(np.shape(values)),
            )
        data[f"state_{name}"] = (("example", "time", "neuron"), values, _describe(name, units))
    if layer.states:
        time = ("time", np.arange(shape[1]) * dt_ms, _describe("time since the start", "ms"))
        data = data.assign_coords(time=time)
    return data


def _shape_attribute(shape: tuple[int, ...]) -> int | NDArray[np.int32]:
    # netCDF has no array of one number: it would be read as the number.
    return shape[0] if len(shape) == 1 else np.array(shape, np.int32)


def _neuron_coordinates(shape: tuple[int, ...]) -> dict[str, Any]:
    if len(shape) != 3:
        return {}
    indices = np.indices(shape, dtype=np.int32).reshape(3, -1)
    names = ("channel", "y", "x")
    return {
        name: ("neuron", index, _describe(f"{name} of the neuron"))
        for name, index in zip(names, indices, strict=True)
    }


def _describe(long_name: str, units: str | None = None) -> dict[str, str]:
    """Return the attributes of a variable by the CF conventions."""
    return {"long_name": long_name} if units is None else {"long_name": long_name, "units": units}
