"""Inputs, outputs and labels of a result, and the task of its network."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.errors import ResultError
from bioae.simulation.results.root import RECORDING


def neurons_of(tree: xr.DataTree) -> str:
    """Return the text of the neuron models, and the parameters of layers that differ from it."""
    text = str(tree.attrs.get("neuron_model", "")).strip()
    own = str(tree.attrs.get("parameters", ""))
    return f"{text}\n\n# Parameters of the network's layers: {own}" if own else text


def task_of(tree: xr.DataTree) -> str:
    """Return the kind of the network's task; results of version 1 are reconstructions."""
    return str(tree.attrs.get("task", "reconstruction"))


def check_task(tree: xr.DataTree, *tasks: str) -> None:
    """Raise a `ResultError` if the network has none of some tasks."""
    if task_of(tree) not in tasks:
        raise ResultError(
            "the network has another task", where="task", expected=" or ".join(tasks),
            found=task_of(tree),
        )  # fmt: skip


def targets_known(tree: xr.DataTree) -> bool:
    """Return whether the result holds the targets of its outputs."""
    needed = {"reconstruction": "input", "classification": "label"}.get(task_of(tree), "target")
    return needed in tree.variables


def has_images(tree: xr.DataTree) -> bool:
    """Return whether there is an input of images, and not of signals."""
    return "input" in tree.data_vars and "y" in tree["input"].dims


def is_recording(tree: xr.DataTree) -> bool:
    """Return whether the spikes are recorded, without a network that received an input."""
    return task_of(tree) == RECORDING


def images_of(tree: xr.DataTree, name: str) -> xr.DataArray:
    """Return the images ``"input"`` or ``"reconstruction"``, (example, [channel,] y, x)."""
    if name not in tree.variables:
        raise ResultError(
            f"the result has no {name}", where="task",
            expected="reconstruction" if name == "reconstruction" else "that of a network",
            found=task_of(tree),
        )  # fmt: skip
    return tree.to_dataset()[name]


def still_images_of(tree: xr.DataTree, measure: str) -> xr.DataArray:
    """Return the input images, (example, [channel,] y, x), for a measure that needs them."""
    images = images_of(tree, "input")
    if "time" in images.dims:
        raise ResultError(
            f"the input varies in time: {measure} is one of images", where="input",
            expected="(example, y, x) or (example, channel, y, x)", found=str(images.dims),
        )  # fmt: skip
    return images


def labels_of(tree: xr.DataTree) -> NDArray[Any]:
    """Return the class of each example, (example,); raise a `ResultError` without labels."""
    if "label" not in tree.variables:
        raise ResultError(
            "the classes of the examples are not known", where="label",
            hint="Simulate images that have labels",
        )  # fmt: skip
    return tree["label"].to_numpy()


def classes(tree: xr.DataTree) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes, (class,), and the index of each example's class."""
    distinct, index = np.unique(labels_of(tree), return_inverse=True)
    return distinct, index.astype(np.int64)


def class_labels(tree: xr.DataTree) -> NDArray[np.int64]:
    """Return the true classes of a classification's examples, each that of an output."""
    check_task(tree, "classification")
    labels, number = labels_of(tree).astype(np.int64), tree.sizes["unit"]
    if not ((labels >= 0) & (labels < number)).all():
        raise ResultError(
            "a label is not that of an output", where="label", expected=f"0 to {number - 1}",
            found=f"{labels.min()} to {labels.max()}",
        )  # fmt: skip
    return labels


def output_of(tree: xr.DataTree, name: str = "output") -> NDArray[np.float64]:
    """Return the outputs or, if they are known, their ``"target"``, (example, [time,] unit)."""
    if name not in tree.variables:
        raise ResultError(f"the result has no {name}", expected="a task other than reconstruction")
    return tree[name].transpose("example", ...).to_numpy().astype(np.float64)
