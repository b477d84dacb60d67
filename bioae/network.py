"""A network: a description, and the weights that it has learned."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.config import NetworkConfig, presets
from bioae.equations.library import load_model
from bioae.errors import NetworkError
from bioae.layers import Shape
from bioae.placed import PlacedLayer
from bioae.random import stream

__all__ = ["Network", "NetworkConfig", "PlacedLayer", "presets"]


@dataclass(frozen=True)
class Network:
    """An auto-encoder with its weights.

    Parameters
    ----------
    config
        What it is.
    weights
        Arrays by name: ``LAYER.weight`` and ``LAYER.recurrent`` (target, source) in PyTorch's
        order, and ``LAYER.PARAMETER`` for trained parameters, in base units.

    Raises
    ------
    NetworkError
        If an array is missing, unknown, not finite or of the wrong shape.
    """

    config: NetworkConfig
    weights: Mapping[str, NDArray[np.floating]] = field(repr=False)

    def __post_init__(self) -> None:
        required: dict[str, Shape] = {}
        optional: dict[str, tuple[Shape, ...]] = {}
        for placed in self.config.placed:
            required |= placed.weight_shapes
            optional |= dict.fromkeys(placed.trainable, ((), (placed.size,)))
        for name in required.keys() - self.weights.keys():
            raise NetworkError(f"the weights {name!r} are missing", expected=str(required[name]))
        for name, values in self.weights.items():
            allowed = (required[name],) if name in required else optional.get(name, ())
            _check_array(name, values, allowed)

    @classmethod
    def initialise(cls, config: NetworkConfig, *, seed: int = 0) -> Network:
        """Draw weights; each array has its own stream of random numbers.

        Parameters
        ----------
        config
            The network's description.
        seed
            Seeds the weights.
        """
        weights = {}
        for placed in config.placed:
            for order, (name, shape) in enumerate(placed.weight_shapes.items()):
                fan_in = placed.size if order else placed.layer.fan_in(placed.input_shape)
                deviation = placed.layer.gain * math.sqrt(2.0 / fan_in)
                generator = stream(seed, 2 * placed.depth + order)
                weights[name] = generator.normal(0.0, deviation, shape)
        return cls(config, weights)

    def quantised(self, bits: int = 12) -> Network:
        """Return the network with its connection weights rounded to multiples of ``2**-bits``.

        Sums of such weights are exact in any order, so all targets agree to the last bit.
        """
        grid = 2.0**bits
        synaptic = {name for placed in self.config.placed for name in placed.weight_shapes}
        return Network(
            self.config,
            {
                name: np.rint(values.astype(np.float64) * grid) / grid
                if name in synaptic
                else values
                for name, values in self.weights.items()
            },
        )

    def with_neuron(self, neuron: str) -> Network:
        """Return the network with another neuron model in every layer, its weights unchanged.

        Parameters
        ----------
        neuron
            A shipped model's name, or the path of a TOML file.
        """
        model = load_model(neuron)
        layers = tuple(
            layer.model_copy(update={"neuron": model.name, "parameters": {}})
            for layer in self.config.layers
        )
        config = self.config.varied(
            layers=layers,
            neuron=model.name,
            neurons={**self.config.neurons, model.name: model.to_mapping()},
        )
        synaptic = {name for placed in config.placed for name in placed.weight_shapes}
        return Network(config, {n: v for n, v in self.weights.items() if n in synaptic})

    def with_time(self, **changes: Any) -> Network:
        """Return the network with another time step `dt` or other `steps`, its weights unchanged.

        Raises
        ------
        NetworkError
            If a value does not fit.
        """
        return Network(self.config.varied(**changes), self.weights)

    def parameters(self, placed: PlacedLayer, *, readout: bool = False) -> dict[str, NDArray[Any]]:
        """Return a layer's parameters in base units: scalars, or (neuron) arrays.

        Parameters
        ----------
        placed
            The layer.
        readout
            Whether to return those of its read-out model.
        """
        from bioae.equations.stepping import default_parameters

        values = default_parameters(placed.readout_program if readout else placed.program)
        trained = {name: self.weights.get(f"{placed.name}.{name}") for name in values}
        return values | {n: np.asarray(v, np.float64) for n, v in trained.items() if v is not None}

    @cached_property
    def sha256(self) -> str:
        """A hash of the description and the weights."""
        digest = hashlib.sha256()
        config = self.config.self_contained().to_mapping()
        digest.update(json.dumps(config, sort_keys=True).encode())
        for name in sorted(self.weights):
            values = np.ascontiguousarray(self.weights[name], dtype=np.float64)
            digest.update(f"{name}{values.shape}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()


def _check_array(name: str, values: NDArray[Any], allowed: tuple[Shape, ...]) -> None:
    if not allowed:
        raise NetworkError(f"the network has no array {name!r}")
    if np.shape(values) not in allowed:
        raise NetworkError(
            f"the array {name!r} has the wrong shape",
            expected=" or ".join(str(shape) for shape in allowed),
            found=str(np.shape(values)),
        )
    if not np.isfinite(values).all():
        raise NetworkError(f"the array {name!r} has values that are not finite")
