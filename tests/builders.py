"""Small networks, neuron models and images that tests share."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from bioae.equations import NeuronModel
from bioae.errors import TargetError
from bioae.networks import Network, NetworkConfig
from bioae.networks.schedule import ScheduleName
from bioae.random import stream
from bioae.simulation.backend import Target

WHERE = "the test's network"

#: The schedules of a network.
SCHEDULES: list[ScheduleName] = ["brian2", "paper"]

#: A leaky integrate-and-fire neuron.
LEAKY: dict[str, Any] = {
    "description": "A model of the tests.", "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > 1", "reset": "v = 0", "method": "exact", "input": "v",
    "parameters": {"tau": "20*ms"},
}  # fmt: skip

#: Conductances of either sign.
COBA: dict[str, Any] = {
    "description": "Conductances.",
    "equations": """
dv/dt = (-v + g_e*(4 - v) + g_i*(-1 - v))/tau : 1
dg_e/dt = -g_e/tau_e : 1
dg_i/dt = -g_i/tau_i : 1
""",
    "threshold": "v > 1",
    "reset": "v = 0",
    "method": "euler",
    "input": "g_e",
    "inhibition": "g_i",
    "parameters": {"tau": "20*ms", "tau_e": "5*ms", "tau_i": "10*ms"},
}


# Data


def numbered(values: ArrayLike, numbers: Sequence[int]) -> xr.DataArray:
    """Return an array of images or signals whose examples have numbers of their data set."""
    array = np.asarray(values)
    dims = ("example", *(f"axis{n}" for n in range(1, array.ndim)))
    return xr.DataArray(array, dims=dims, coords={"example": list(numbers)})


# Layers


def dense(name: str, units: int | None = None, **fields: Any) -> dict[str, Any]:
    """Describe a dense layer, its size by `units` or by the field `shape`."""
    size = {} if units is None else {"units": units}
    return {"kind": "dense", "name": name, **size, **fields}


def conv(name: str, channels: int, kernel: int, **fields: Any) -> dict[str, Any]:
    """Describe a convolution."""
    return {"kind": "conv2d", "name": name, "channels": channels, "kernel": kernel, **fields}


def deconv(name: str, channels: int, kernel: int, **fields: Any) -> dict[str, Any]:
    """Describe a transposed convolution."""
    return {**conv(name, channels, kernel, **fields), "kind": "conv_transpose2d"}


# Networks


def described(*layers: Mapping[str, Any], where: str = WHERE, **fields: Any) -> NetworkConfig:
    """Return the network of layers and of the other fields of the table `network`."""
    return NetworkConfig.from_mapping({"layers": [*layers], **fields}, where=where)


def drawn(*layers: Mapping[str, Any], seed: int = 0, factor: float = 1.0, **fields: Any) -> Network:
    """Return a network with random weights, times a factor, on the grid where targets agree."""
    network = Network.initialise(described(*layers, **fields), seed=seed)
    return multiplied(network, factor).quantised()


def multiplied(network: Network, factor: float) -> Network:
    """Multiply the weights of a network, and keep its delays."""
    weights = {
        name: values if name.endswith("_delay") else factor * values
        for name, values in network.weights.items()
    }
    return Network(network.config, weights)


def three_layers(**fields: Any) -> Network:
    """Return a network whose layers differ in kind and depth, recurrence among them."""
    return drawn(
        conv("first", 2, 3, gain=4.0),
        dense("second", 7, recurrent=True, gain=3.0),
        dense("output", shape=[1, 6, 6], gain=3.0),
        **{"input_shape": [1, 6, 6], "steps": 6, **fields},
    )


def two_layers(*, first: Mapping[str, Any] | None = None, **fields: Any) -> Network:
    """Return a network of five neurons and an output of 4 by 4, for images of that size.

    `first` are more fields of the first layer.
    """
    return drawn(
        dense("first", 5, gain=4.0, **(first or {})), dense("output", shape=[1, 4, 4], gain=4.0),
        input_shape=[1, 4, 4], steps=5, **fields,
    )  # fmt: skip


# Neuron models


def model(fields: str | Mapping[str, Any], name: str = "mine", **changes: Any) -> NeuronModel:
    """Return a neuron model from the text of its file or from its fields."""
    table = tomllib.loads(fields) if isinstance(fields, str) else fields
    return NeuronModel.from_mapping(name, {**table, **changes}, where=f"{name}.toml")


# Images


def pictures(count: int, *shape: int, seed: int = 0) -> NDArray[np.float64]:
    """Return random images (example, *shape) of pixels in [0, 1)."""
    return stream(seed, 0).random((count, *shape))


# Files


def write_arrays(path: Path, **arrays: Any) -> Path:
    """Write named arrays to an ``.npz`` file or a compressed HDF5 file."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return path
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            options = {"chunks": True, "compression": "gzip"} if np.ndim(values) else {}
            file.create_dataset(name, data=values, **options)
    return path


def result_bytes(path: Path, network: Network, images: Any, backend: Any, **options: Any) -> bytes:
    """Simulate with the seed 3, and return the bytes of the result's file, which has spikes."""
    from bioae import simulate
    from bioae.simulation import write_result

    result = simulate(network, images, backend, seed=3, **options)
    assert int(result["/layers/output/spike_count"].sum()) > 0
    write_result(result, path, overwrite=True)
    return path.read_bytes()


# Targets


def need(target: Target) -> None:
    """Skip a test where a target cannot run."""
    from bioae.simulation.targets.activation import check_target

    try:
        check_target(target)
    except TargetError as error:
        pytest.skip(str(error))
