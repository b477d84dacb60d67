"""The result of a simulation: a tree of spikes and images, in memory and as netCDF.

`docs/result.md` specifies every variable. The Brian2 targets and the PyTorch mirror both build
their results here, so that whatever reads one reads the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.errors import ResultError
from bioae.simulation.results.layer_spikes import LayerSpikes, Trace, describe, layer_dataset
from bioae.simulation.results.netcdf import write_pieces

__all__ = [
    "SCHEMA_VERSION",
    "LayerSpikes",
    "Trace",
    "build_result",
    "group_of",
    "root_dataset",
    "versions",
    "write_result",
]

SCHEMA_VERSION = 1

_VERSIONED = ("bioae", "brian2", "numpy")


class Root(TypedDict, total=False):
    """What the root of a result takes.

    Attributes
    ----------
    images, reconstruction
        (example, channel, y, x) What was shown, in [0, 1], and what came out.
    example
        (example,) The index of each image in its data set, each at most once.
    dt_ms, steps
        The length of a step in milliseconds, and the number of steps of a presentation.
    target
        What ran the network: a Brian2 target, or ``"torch"`` for the mirror.
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
    reconstruction: Required[NDArray[np.floating[Any]]]
    example: Required[NDArray[np.integer[Any]]]
    dt_ms: Required[float]
    steps: Required[int]
    target: Required[str]
    seed: Required[int]
    neuron_model: Required[str]
    network_sha256: Required[str]
    label: NDArray[np.integer[Any]] | None
    attrs: Mapping[str, str | int | float] | None


def build_result(*, layers: Sequence[LayerSpikes], **root: Unpack[Root]) -> xr.DataTree:
    """Build the tree of a result.

    Parameters
    ----------
    layers
        The layers in order, from the input's side.
    **root
        What the root holds, see `Root`.

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
    """Return the root of a result alone, see `Root`.

    Raises
    ------
    ResultError
        If the parts do not fit together, or an example is there twice.
    """
    index: NDArray[np.int64] = np.asarray(root["example"], dtype=np.int64)
    images, reconstruction, label = root["images"], root["reconstruction"], root.get("label")
    _check_images(images, reconstruction, index, label)
    data = _root(images, reconstruction, index, label)
    data.attrs = {
        "schema_version": SCHEMA_VERSION,
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


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on, by package."""
    return {package: version(package) for package in _VERSIONED}


def group_of(tree: xr.DataTree, path: str) -> xr.Dataset:
    """Return a group of a result, without what it inherits."""
    node = tree[path]
    assert isinstance(node, xr.DataTree)
    return node.to_dataset(inherit=False)


def write_result(tree: xr.DataTree, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a result as a compressed netCDF4 file, whole or not at all.

    Equal results give equal bytes.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    write_pieces([_Whole(tree)], path, overwrite=overwrite)


class _Whole:
    """A result in memory, as the only piece of itself."""

    def __init__(self, tree: xr.DataTree) -> None:
        self._tree = tree

    @property
    def groups(self) -> list[str]:
        return [node.path for node in self._tree.subtree if node.parent is None or node.data_vars]

    def sizes(self, group: str) -> dict[str, int]:
        return {str(name): size for name, size in self.dataset(group).sizes.items()}

    def dataset(self, group: str) -> xr.Dataset:
        return group_of(self._tree, group)


def _root(
    images: NDArray[Any],
    reconstruction: NDArray[Any],
    example: NDArray[np.int64],
    label: NDArray[Any] | None,
) -> xr.Dataset:
    dims: tuple[str, ...] = ("example", "channel", "y", "x")
    if images.shape[1] == 1:
        dims, images, reconstruction = ("example", "y", "x"), images[:, 0], reconstruction[:, 0]
    root = xr.Dataset(
        {
            "input": (dims, images, describe("input", "1")),
            "reconstruction": (dims, reconstruction, describe("reconstruction", "1")),
        },
        coords={"example": ("example", example, describe("index in the data set"))},
    )
    if label is not None:
        root["label"] = ("example", np.asarray(label), describe("class of the image"))
    return root


def _check_images(
    images: NDArray[Any],
    reconstruction: NDArray[Any],
    example: NDArray[np.int64],
    label: NDArray[Any] | None,
) -> None:
    if images.ndim != 4 or images.shape != reconstruction.shape or not images.size:
        raise ResultError(
            "images and reconstruction do not fit",
            expected="both (example, channel, y, x), and not empty",
            found=f"{images.shape} and {reconstruction.shape}",
        )
    for name, values in (("example", example), ("label", label)):
        if values is not None and np.shape(values) != images.shape[:1]:
            raise ResultError(
                f"{name} does not fit the images",
                expected=str(images.shape[:1]),
                found=str(np.shape(values)),
            )
    ordered = np.sort(example)
    repeated = ordered[1:][np.diff(ordered) == 0]
    if repeated.size:
        raise ResultError(
            "an example is there twice",
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
