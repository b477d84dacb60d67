"""Access to the outputs of a network: its task, and outputs with their targets by blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import labels_of
from bioae.analysis.results.layers import root_of
from bioae.errors import ResultError

__all__ = [
    "check_task",
    "class_labels",
    "has_images",
    "output_blocks",
    "targets_known",
    "task_of",
]

#: Numbers in a block of outputs.
_ENTRIES = 2**22


def task_of(tree: xr.DataTree) -> str:
    """Return the kind of the network's task; results of version 1 are reconstructions."""
    return str(root_of(tree).attrs.get("task", "reconstruction"))


def check_task(tree: xr.DataTree, *tasks: str) -> None:
    """Reject results of networks with another task.

    Raises
    ------
    ResultError
        If the task is none of `tasks`.
    """
    if task_of(tree) not in tasks:
        raise ResultError(
            "the network has another task",
            where="task",
            expected=" or ".join(tasks),
            found=task_of(tree),
        )


def class_labels(tree: xr.DataTree) -> NDArray[np.int64]:
    """Return the true classes of a classification's examples.

    Raises
    ------
    ResultError
        If the network's task is not classification, or the classes are not known, or not those of
        outputs.
    """
    check_task(tree, "classification")
    labels, classes = labels_of(tree).astype(np.int64), root_of(tree).sizes["unit"]
    if not ((labels >= 0) & (labels < classes)).all():
        raise ResultError(
            "a label is not that of an output",
            where="label",
            expected=f"0 to {classes - 1}",
            found=f"{labels.min()} to {labels.max()}",
        )
    return labels


def has_images(tree: xr.DataTree) -> bool:
    """Return whether the input is images, and not signals."""
    return "y" in root_of(tree).to_dataset()["input"].dims


def targets_known(tree: xr.DataTree) -> bool:
    """Return whether the result holds what its outputs should be."""
    needed = {"reconstruction": "input", "classification": "label"}.get(task_of(tree), "target")
    return needed in root_of(tree).to_dataset()


def output_blocks(
    tree: xr.DataTree,
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64] | None]]:
    """Read the outputs, and their targets where known, by blocks of whole examples.

    Yields
    ------
    tuple
        The position of the block's first example; its outputs, (example, unit) or
        (example, time, unit); and its targets, of the same shape.
    """
    root = root_of(tree).to_dataset()
    output, target = (
        root[name].transpose("example", ...).variable if name in root else None
        for name in ("output", "target")
    )
    if output is None:
        raise ResultError("the result has no output", expected="a task other than reconstruction")
    examples = output.shape[0]
    rows = max(1, _ENTRIES * examples // max(1, output.size))

    def read(values: Any, part: slice) -> NDArray[np.float64]:
        return np.asarray(values[part].to_numpy(), np.float64)

    for start in range(0, examples, rows):
        part = slice(start, start + rows)
        yield start, read(output, part), None if target is None else read(target, part)
