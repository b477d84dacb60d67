"""The root of a result: the input, the decoded output and the attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict, Unpack

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.errors import ResultError
from bioae.provenance import versions

#: The version of the format of results.
SCHEMA_VERSION = 2
#: The task of recorded spikes, without a network, input or output.
RECORDING = "recording"
#: The most steps of a recording, over all trials.
MOST_STEPS = 10**8


def check_tree(tree: xr.DataTree, *attributes: str) -> None:
    """Raise a `ResultError` for a tree without layers, or without one of the attributes."""
    if "layers" not in tree.children or not tree.attrs.keys() >= {*attributes}:
        raise ResultError(
            "this is not the result of a simulation",
            expected="the xarray.DataTree of bioae.simulate or open_result",
            found=f"the groups {', '.join(tree.children)}" if tree.children else "no group",
        )


def check_shape(layer: xr.Dataset | xr.DataTree, where: str) -> None:
    """Raise a `ResultError` for a layer of which some neurons are missing."""
    size = np.prod(np.asarray(layer.attrs.get("shape", layer.sizes["neuron"])))
    if size != layer.sizes["neuron"]:
        raise ResultError(
            "the shape does not fit the neurons", where=f"{where}, attribute 'shape'",
            expected=f"{layer.sizes['neuron']} neurons", found=f"{layer.attrs['shape']}",
        )  # fmt: skip


class Root(TypedDict, total=False):
    """Contents of the root of a result; recorded spikes have a task, example, dt_ms and steps only.

    Attributes
    ----------
    images
        (example, channel, y, x) The images that were presented, in [0, 1]; or signals
        (example, time, channel).
    task
        The kind of the network's task, ``"reconstruction"`` by default.
    repeats
        The number of presentations of each image, 1 by default: repeats follow one another.
    reconstruction
        The decoded image of each presentation, (presentation, channel, y, x), if that is the task.
    output
        The decoded output of any other task, (presentation, unit) or (presentation, time, unit).
    desired
        Its target, (example, unit) or (example, time, unit), where known.
    example
        (example,) The index of each image in its data set, each at most once.
    dt_ms, steps
        The length of a step in milliseconds, and the number of steps of a presentation.
    target
        The target that ran the network: one of Brian2's, or ``"torch"``.
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

    images: NDArray[np.floating[Any]]
    example: Required[NDArray[np.integer[Any]]]
    dt_ms: Required[float]
    steps: Required[int]
    target: str
    seed: int
    neuron_model: str
    network_sha256: str
    label: NDArray[np.integer[Any]] | None
    attrs: Mapping[str, str | int | float] | None
    repeats: int
    task: str
    reconstruction: NDArray[np.floating[Any]]
    output: NDArray[np.floating[Any]]
    desired: NDArray[np.floating[Any]] | None


def root_dataset(**root: Unpack[Root]) -> xr.Dataset:
    """Build the root of a result, see `Root`; raise a `ResultError` if its parts do not fit."""
    task = root.get("task", "reconstruction")
    own: dict[str, str | int] = {}
    if task == RECORDING:
        example = ("example", np.asarray(root["example"], np.int64), cf_attributes("trial"))
        data = xr.Dataset(coords={"example": example})
    else:
        outputs = _outputs(root)
        _check_finite(outputs)
        try:
            data = _variables(root, outputs)
        except ValueError as error:  # of xarray
            raise ResultError("the parts do not fit together", found=str(error)) from error
        own = {"target": root["target"], "seed": int(root["seed"])}
        own |= {"neuron_model": root["neuron_model"], "network_sha256": root["network_sha256"]}
    data.attrs = {
        "schema_version": SCHEMA_VERSION,
        "task": task,
        "dt_ms": float(root["dt_ms"]),
        "steps": int(root["steps"]),
        **own,
        **{f"{package}_version": number for package, number in versions().items()},
        **(root.get("attrs") or {}),
    }
    return data


def _outputs(root: Root) -> dict[str, NDArray[Any]]:
    """Return the decoded outputs and their targets, by the names of their variables."""
    if "output" not in root:
        return {"reconstruction": root["reconstruction"]}
    desired = root.get("desired")
    return {"output": root["output"], **({} if desired is None else {"target": desired})}


def _variables(root: Root, outputs: Mapping[str, NDArray[Any]]) -> xr.Dataset:
    images, label, repeats = root["images"], root.get("label"), root.get("repeats", 1)
    example = np.asarray(root["example"], dtype=np.int64)
    dims = _input_dims(images)
    shown = images[:, 0] if len(dims) < images.ndim else images
    data = xr.Dataset(
        {"input": (dims, shown, cf_attributes("input", "1"))},
        coords={"example": ("example", example, cf_attributes("index in the data set"))},
    )
    if repeats > 1:
        data = data.assign_coords(repeat=("repeat", np.arange(repeats), cf_attributes("repeat")))
    for name, values in outputs.items():
        if name == "reconstruction":
            axes, stored = dims[1:], values[:, 0] if len(dims) < values.ndim else values
        else:
            axes, stored = ("time", "unit")[3 - values.ndim :], values
        times = repeats if name != "target" else 1
        variable = (*presentation_dims(times), *axes), by_repeat(stored, times)
        data[name] = (*variable, cf_attributes(name, "1"))
    if label is not None:
        data["label"] = ("example", np.asarray(label), cf_attributes("class of the image"))
    return data


def _input_dims(images: NDArray[Any]) -> tuple[str, ...]:
    """Return the dimensions of the stored input: a single channel of images has none."""
    if images.ndim == 3:
        return ("example", "time", "channel")
    return ("example", "y", "x") if images.shape[1] == 1 else ("example", "channel", "y", "x")


def _check_finite(outputs: Mapping[str, NDArray[Any]]) -> None:
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            example, *unit = np.argwhere(~np.isfinite(values))[0].tolist()
            raise ResultError(
                "the network's output is not finite", where=name,
                found=f"{values[(example, *unit)]} at {unit} of presentation {example}",
                hint="Look for parameters, weights or noise that are too large, or use a smaller "
                "dt; recorded states show which neurons diverge",
            )  # fmt: skip


def presentation_dims(repeats: int) -> tuple[str, ...]:
    """Return the dimensions of presentations."""
    return ("example", "repeat") if repeats > 1 else ("example",)


def by_repeat(values: NDArray[Any], repeats: int) -> NDArray[Any]:
    """Return values of presentations, (presentation, ...), along the dimensions of them."""
    return values.reshape(-1, repeats, *values.shape[1:]) if repeats > 1 else values


def cf_attributes(long_name: str, units: str | None = None) -> dict[str, str]:
    """Return the attributes of a variable by the CF conventions."""
    return {"long_name": long_name} if units is None else {"long_name": long_name, "units": units}
