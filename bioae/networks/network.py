"""A network: a description, and the weights that it has learned."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.errors import NetworkError
from bioae.networks.background import Background
from bioae.networks.config import NetworkConfig, presets
from bioae.networks.delays import Steps, draw_delays, in_steps
from bioae.networks.layers import Shape
from bioae.networks.placed_layer import PlacedLayer
from bioae.random import stream

if TYPE_CHECKING:
    from bioae.responses.calibration import Calibration

__all__ = ["Network", "NetworkConfig", "PlacedLayer", "presets"]

# Random numbers of delays, apart from those of weights.
_DELAY_STREAMS = 2**40


@dataclass(frozen=True)
class Network:
    """An auto-encoder with its weights.

    Parameters
    ----------
    config
        What it is.
    weights
        Arrays by name: ``LAYER.weight`` and ``LAYER.recurrent`` (target, source) in PyTorch's
        order, ``LAYER.weight_delay`` and ``LAYER.recurrent_delay`` in seconds, where each of
        them has its own, and ``LAYER.PARAMETER`` for any constant parameter of the layer's neuron
        model that is not to have the model's value: one in base units, or one for each neuron;
        ``LAYER.readout.PARAMETER`` for one that the read-out is not to share with the neuron.

    Raises
    ------
    NetworkError
        If an array is missing, unknown, not finite or of the wrong shape.
    """

    config: NetworkConfig
    weights: Mapping[str, NDArray[np.floating]] = field(repr=False)

    def __post_init__(self) -> None:
        required: dict[str, Shape] = {}
        for placed in self.config.placed:
            required |= placed.array_shapes
        for name in required.keys() - self.weights.keys():
            raise NetworkError(f"the weights {name!r} are missing", expected=str(required[name]))
        for name, values in self.weights.items():
            allowed = (required[name],) if name in required else self._parameter_shapes(name)
            _check_array(name, values, allowed)
        for placed in self.config.placed:
            self._check_autapses(placed)
            self.delays(placed)

    def _parameter_shapes(self, name: str) -> tuple[Shape, ...]:
        # Models are lowered for this, which few networks need.
        layer = name.partition(".")[0]
        found = [placed for placed in self.config.placed if placed.name == layer]
        if not found:
            return ()
        return {**found[0].parameter_shapes, **found[0].readout_shapes}.get(name, ())

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
                others = max(placed.size - (not placed.layer.autapses), 1)
                fan_in = others if order else placed.layer.fan_in(placed.input_shape)
                deviation = placed.layer.gain * math.sqrt(2.0 / fan_in)
                number = 2 * placed.depth + order
                weights[name] = stream(seed, number).normal(0.0, deviation, shape)
                if name.endswith(".recurrent") and not placed.layer.autapses:
                    np.fill_diagonal(weights[name], 0.0)
                delay = placed.delays[name]
                if isinstance(delay, tuple):
                    weights[f"{name}_delay"] = draw_delays(
                        delay, shape, stream(seed, _DELAY_STREAMS + number),
                        dt=config.dt_seconds, where=f"layer {placed.name!r}",
                    )  # fmt: skip
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

    def with_neuron(
        self,
        neuron: str | Path | NeuronModel,
        *,
        calibrate: Calibration | Mapping[str, float] = "rate",
    ) -> Network:
        """Return the network with another neuron model in every layer, its weights unchanged.

        A model that needs finer steps than the network's is given them: presentations last as
        long, and bring as much input. What decodes the image stays as it was: read-outs keep the
        parameters that they had from the former neurons.

        Parameters
        ----------
        neuron
            A shipped model's name, the path of a TOML file, or a model.
        calibrate
            How the model's unit of weight is scaled, layer by layer, so that weights mean what
            they did: see `bioae.responses.calibration.calibrate`; or the factors themselves, by
            layer.

        Raises
        ------
        ModelError
            If there is no such model, or it cannot be calibrated.
        """
        from bioae.networks import variants

        if isinstance(calibrate, str):
            calibrate = variants.calibration_factors(self, neuron, calibrate)
        return variants.with_neuron(variants.fitting(self, neuron), neuron, calibrate)

    def with_spread(self, spread: Mapping[str, float], *, seed: int = 0) -> Network:
        """Return the network with neurons that differ: each has its own value of some parameters.

        Values are drawn from a log-normal distribution around what the parameter was, within the
        bounds that the model's ``[trainable]`` gives. They depend on the seed, the layer's and the
        parameter's name, and on nothing else.

        Parameters
        ----------
        spread
            The coefficient of variation, by parameter; it is spread in every layer that has it.
        seed
            Seeds the values.

        Raises
        ------
        NetworkError
            If no layer has such a parameter, or it cannot differ between neurons.
        """
        from bioae.networks import variants

        return variants.with_spread(self, spread, seed=seed)

    def with_background(self, background: Background) -> Network:
        """Return the network with background input to every layer.

        Parameters
        ----------
        background
            Gaussian noise, by its standard deviation in network weights a square root of a
            millisecond; or spikes, by their weight and rate: ``(0.1, "20*Hz")``.

        Raises
        ------
        NetworkError
            If it does not fit.
        """
        from bioae.networks import variants

        return variants.with_background(self, background)

    def with_delay(self, delay: str) -> Network:
        """Return the network with a delay between layers, such as ``"2*ms"``.

        Raises
        ------
        NetworkError
            If it does not fit into a presentation.
        """
        from bioae.networks import variants

        return variants.with_delay(self, delay)

    def with_time(self, **changes: Any) -> Network:
        """Return the network with another time step `dt` or other `steps`, its weights unchanged.

        Raises
        ------
        NetworkError
            If a value does not fit.
        """
        return Network(self.config.varied(**changes), self.weights)

    def delays(self, placed: PlacedLayer) -> dict[str, Steps]:
        """Return the delays of a layer's connections in steps, by the name of their weights.

        Rounded here, once, for all who run the network: one without dimensions where all
        connections have the same, else an array of the shape of the weights.

        Raises
        ------
        NetworkError
            If one is negative, or not shorter than a presentation.
        """
        found = {}
        for name, delay in placed.delays.items():
            array = f"{name}_delay"
            found[name] = in_steps(
                self.weights[array] if isinstance(delay, tuple) else delay or 0.0,
                dt=self.config.dt_seconds,
                steps=self.config.steps,
                where=f"the array {array!r}",
            )
        return found

    def _check_autapses(self, placed: PlacedLayer) -> None:
        name = f"{placed.name}.recurrent"
        if name not in self.weights or placed.layer.autapses:
            return
        if self.weights[name].diagonal().any():
            raise NetworkError(
                f"the array {name!r} lets neurons feed themselves",
                expected="a diagonal of zeros",
                mend="Set autapses = true in the layer, or the diagonal to 0",
            )

    def parameters(self, placed: PlacedLayer, *, readout: bool = False) -> dict[str, NDArray[Any]]:
        """Return a layer's parameters in base units: scalars, or (neuron) arrays.

        Parameters
        ----------
        placed
            The layer.
        readout
            Whether to return those of its read-out model.
        """
        from bioae.equations.arrays.start import default_parameters

        values = default_parameters(placed.readout_program if readout else placed.program)
        prefixes = (placed.name, f"{placed.name}.readout") if readout else (placed.name,)
        for array, name in ((f"{prefix}.{name}", name) for prefix in prefixes for name in values):
            if array in self.weights and array not in placed.array_shapes:
                values[name] = np.asarray(self.weights[array], np.float64)
        return values

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
