"""Repeats: several presentations of each example, as a result in which each is an example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import has_repeats, structured
from bioae.errors import ResultError
from bioae.simulation.results.schema import REPEAT

#: The coordinate with the example that a presentation shows.
STIMULUS = "stimulus"

_LARGEST = 2**63 - 1


def presentations(tree: xr.DataTree | Path | str) -> xr.DataTree:
    """Return a result in which each presentation is an example, for all other functions.

    Where a result has several repeats of each example (``simulate(..., repeats=20)``), they become
    examples, in the order of (example, repeat). A result without repeats is returned as it is.

    Returns
    -------
    xarray.DataTree
        Its dimension `example` has an entry per presentation. The coordinate `example` is the
        number of the example followed by that of the repeat, with as many digits as the largest
        repeat has: 1703 is repeat 3 of example 17, if there are 11 to 100 repeats. The coordinates
        `stimulus` and `repeat` hold the two numbers. Everything is in memory.

    Raises
    ------
    ResultError
        If it is not a result, or numbers of examples and repeats do not fit into 64 bits.
    """
    tree = structured(tree)
    if not has_repeats(tree):
        return tree
    root = tree.to_dataset(inherit=False)
    example = root["example"].to_numpy().astype(np.int64)
    repeat = np.atleast_1d(root[REPEAT].to_numpy()).astype(np.int64)
    factor = 10 ** len(str(repeat.max(initial=0)))
    if example.max(initial=0) > _LARGEST // factor - 1:
        raise ResultError(
            "the numbers of examples are too large to be joined with those of repeats",
            where="example", expected=f"numbers up to {_LARGEST // factor - 1}",
            found=str(example.max()),
        )  # fmt: skip
    shown = np.repeat(example, repeat.size), np.tile(repeat, example.size)
    number = ("example", shown[0] * factor + shown[1], {"long_name": "example and repeat"})
    names = ((STIMULUS, "index in the data set"), (REPEAT, "repeat of the stimulus"))
    coords: dict[str, Any] = {
        name: ("example", values, {"long_name": long_name})
        for (name, long_name), values in zip(names, shown, strict=True)
    }
    nodes = {"/": _flat(root, repeat.size).assign_coords(example=number, **coords)}
    for name, node in tree["layers"].children.items():
        layer = _flat(node.to_dataset(inherit=False), repeat.size)
        layer = layer.isel(spike=np.isin(layer["spike_repeat"], repeat))  # a selection keeps all
        spikes = layer["spike_example"].astype(np.int64) * factor + layer["spike_repeat"]
        spikes.attrs = layer["spike_example"].attrs
        nodes[f"/layers/{name}"] = layer.assign(spike_example=spikes).drop_vars("spike_repeat")
    return xr.DataTree.from_dict(nodes)


def stimulus_index(tree: xr.DataTree) -> NDArray[np.int64] | None:
    """Return the index of the stimulus of each presentation (example).

    None if no stimulus was presented more than once, as far as `presentations` tells.
    """
    root = tree.to_dataset()
    if STIMULUS not in root.coords:
        return None
    stimuli, index = np.unique(root[STIMULUS].to_numpy(), return_inverse=True)
    return index.astype(np.int64) if stimuli.size < index.size else None


def first_presentations(tree: xr.DataTree) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each stimulus is first presented (stimulus), and the stimulus of each example.

    Without repeats each example is a stimulus.
    """
    stimuli = stimulus_index(tree)
    index = np.arange(tree.sizes["example"]) if stimuli is None else stimuli
    _, first, of_example = np.unique(index, return_index=True, return_inverse=True)
    return first.astype(np.int64), of_example.astype(np.int64)


def presentation_numbers(tree: xr.DataTree) -> dict[str, xr.DataArray]:
    """Return the example, and the label, stimulus and repeat where known, each (example,)."""
    root = tree.to_dataset()
    names = ("example", "label", STIMULUS, REPEAT)
    return {name: root[name] for name in names if name in root}


def _flat(data: xr.Dataset, repeats: int) -> xr.Dataset:
    """Return variables with the presentations along `example`, and without its coordinates."""
    flat: dict[str, Any] = {}
    dropped = [name for name in ("example", REPEAT) if name in data.coords]
    for name, variable in data.drop_vars(dropped).variables.items():
        if "example" not in variable.dims:
            flat[str(name)] = variable
        elif REPEAT in variable.dims:
            values = variable.transpose("example", REPEAT, ...)
            dims = ("example", *values.dims[2:])
            array = values.to_numpy().reshape(-1, *values.shape[2:])
            flat[str(name)] = xr.Variable(dims, array, variable.attrs)
        else:
            values = variable.transpose("example", ...)
            array = np.repeat(values.to_numpy(), repeats, axis=0)
            flat[str(name)] = xr.Variable(values.dims, array, variable.attrs)
    names = {str(name) for name in data.coords} & flat.keys()
    flattened = xr.Dataset(flat, attrs=data.attrs)
    return flattened.set_coords(sorted(names))
