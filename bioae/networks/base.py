"""Networks that can be run: a description and its weights.

Targets and the mirror need no more than this; `bioae.networks.network` adds the changes that need
a calibration of neuron models.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NoReturn, Self

import numpy as np
from numpy.typing import NDArray

from bioae.arithmetic.grid import rounded
from bioae.checks import whole
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.networks.connections import check_connections, draw_connections, structure_of
from bioae.networks.initial import draw_spread, draw_weights
from bioae.networks.inputs import Steps, draw_delays, in_steps
from bioae.networks.layers import Dense, Shape
from bioae.networks.own_parameters import own_texts
from bioae.networks.placed_layer import PlacedLayer
from bioae.random import check_key, stream
from bioae.showing import Shown, Summary

__all__ = ["NetworkBase"]

#: Delays are drawn from streams of random numbers that weights do not use.
_DELAY_STREAMS = 2**40


@dataclass(frozen=True, repr=False, eq=False)
class NetworkBase(Shown):
    """A network: its description and its weights.

    Parameters
    ----------
    config
        The description.
    weights
        Arrays by name. ``LAYER.weight`` and ``LAYER.recurrent``: weights (target, source) in
        PyTorch's order. ``LAYER.bias``: biases (channel) or (neuron). ``LAYER.weight_delay`` and
        ``LAYER.recurrent_delay``: delays in seconds, where each connection has its own.
        ``LAYER.PARAMETER``: any constant parameter of the layer's neuron model that replaces the
        model's value, in base units, one value or one per neuron; those that are random in the
        model's file are drawn with seed 0 if they are missing. ``LAYER.readout.PARAMETER``: one
        that the read-out does not share with the neuron. ``LAYER.weight_VARIABLE`` and
        ``LAYER.recurrent_VARIABLE``: what a persistent variable of the synapse model has learned.
        ``LAYER.weight_connected`` and ``LAYER.recurrent_connected``: 1 for connections that exist,
        0 for others, where the synapse model changes them.
    spread
        Coefficients of variation that `Network.with_spread` gave to parameters, by name. They
        describe how some of the weights were made; nothing depends on them, and an artefact does
        not store them.

    Arrays cannot be changed in place: `Network.with_weights` returns another network.

    Raises
    ------
    NetworkError
        If an array is missing, unknown, not finite or of the wrong shape.
    """

    config: NetworkConfig
    weights: Mapping[str, NDArray[np.floating]] = field(repr=False)
    spread: Mapping[str, float] = field(
        default_factory=dict, kw_only=True, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        drawn = self._random_parameters(0)
        if drawn.keys() - self.weights.keys():
            object.__setattr__(self, "weights", {**drawn, **self.weights})
        required: dict[str, Shape] = {}
        for placed in self.config.placed:
            required |= placed.array_shapes
        for name in sorted(required.keys() - self.weights.keys()):
            raise NetworkError(f"the weights {name!r} are missing", expected=str(required[name]))
        for name, values in self.weights.items():
            allowed = (required[name],) if name in required else self._parameter_shapes(name)
            _check_array(name, values, allowed)
        for placed in self.config.placed:
            self._check_autapses(placed)
            check_connections(placed, self.weights)
            self._check_divisors(placed)
            self.delays(placed)
        object.__setattr__(self, "weights", _Arrays(self.weights))

    def _parameter_shapes(self, name: str) -> tuple[Shape, ...]:
        # Models are lowered for this, which few networks need.
        layer = name.partition(".")[0]
        for placed in self.config.placed:
            if placed.name == layer:
                shapes = {**placed.parameter_shapes, **placed.readout_shapes}
                shapes |= {each: (shape,) for each, shape in placed.learned_shapes.items()}
                return shapes.get(name, ())
        return ()

    @classmethod
    def initialise(cls, config: NetworkConfig, *, seed: int = 0) -> Self:
        """Return a network with random weights; each array has a separate stream of random numbers.

        Biases are 0. Where a rule exchanges connections, those that exist are drawn too.

        Parameters
        ----------
        config
            The network's description.
        seed
            The seed of the weights.
        """
        weights = {}
        for placed in config.placed:
            for name, shape in placed.weight_shapes.items():
                number = 2 * placed.depth + name.endswith(".recurrent")
                fan_in = structure_of(placed, name).fan_in if name in placed.connections else None
                weights[name] = draw_weights(placed, name, stream(seed, number), fan_in=fan_in)
                delay = placed.delays[name]
                if isinstance(delay, tuple):
                    weights[f"{name}_delay"] = draw_delays(
                        delay, shape, stream(seed, _DELAY_STREAMS + number),
                        dt=config.dt_seconds, where=f"layer {placed.name!r}",
                    )  # fmt: skip
                if name in placed.connections:
                    connected = draw_connections(placed, name, seed)
                    weights[placed.connections[name]] = connected.astype(np.float64)
                    weights[name] = np.where(connected, weights[name], 0.0)
            weights |= placed.random_parameters(seed)
            weights |= {name: np.zeros(shape) for name, shape in placed.bias_shapes.items()}
            weights |= draw_spread(placed, seed)
        return cls(config, weights)

    def with_random_parameters(self, seed: int) -> Self:
        """Return the network with new draws of the parameters that are random in neuron files.

        `initialise` draws them with the seed of the weights; a network that is given none, or gets
        another neuron model, draws them with seed 0. Trained weights stay as they are.
        """
        check_key(seed, "seed")
        return replace(self, weights={**self.weights, **self._random_parameters(seed)})

    def _random_parameters(self, seed: int) -> dict[str, NDArray[np.float64]]:
        drawn: dict[str, NDArray[np.float64]] = {}
        for placed in self.config.placed:
            drawn |= placed.random_parameters(seed)
        return drawn

    def quantised(self, bits: int = 12) -> Self:
        """Return the network with its weights and biases rounded to multiples of ``2**-bits``.

        Sums of such weights are exact in any order, so all targets agree to the last bit.
        """
        bits = whole(bits, "bits", most=60)
        names = (n for each in self.config.placed for n in (*each.weight_shapes, *each.bias_shapes))
        on_grid = {name: rounded(self.weights[name], bits) for name in names}
        return replace(self, weights={**self.weights, **on_grid})

    def connection_weights(self, placed: PlacedLayer) -> dict[str, NDArray[np.floating]]:
        """Return the weights of a layer's connections by name, fixed ones included."""
        known = {**self.weights, **placed.fixed_weights}
        return {name: known[name] for name in placed.delays}

    def biases(self, placed: PlacedLayer) -> NDArray[np.floating] | None:
        """Return the biases of a layer's neurons (neuron), or None if it has none."""
        for name in placed.bias_shapes:
            biases = self.weights[name]
            return np.repeat(biases, placed.size // len(biases))
        return None

    def delays(self, placed: PlacedLayer) -> dict[str, Steps]:
        """Return the delays of a layer's connections in steps, by the name of their weights.

        They are rounded here, once, for all targets: a scalar array where all connections share
        one delay, else an array of the shape of the weights.

        Raises
        ------
        NetworkError
            If one is negative, or not shorter than a presentation.
        """
        steps = {}
        for name, delay in placed.delays.items():
            array = f"{name}_delay"
            steps[name] = in_steps(
                self.weights[array] if isinstance(delay, tuple) else delay or 0.0,
                dt=self.config.dt_seconds,
                steps=self.config.steps,
                where=f"the array {array!r}",
            )
        return steps

    def _check_autapses(self, placed: PlacedLayer) -> None:
        name = f"{placed.name}.recurrent"
        if name not in self.weights or placed.layer.autapses:
            return
        if self.weights[name].diagonal().any():
            raise NetworkError(
                f"the array {name!r} contains autapses",
                expected="a diagonal of zeros",
                hint="Set autapses = true in the layer, or the diagonal to 0",
            )

    def _check_divisors(self, placed: PlacedLayer) -> None:
        """Refuse own parameters of neurons that are times, not positive, and divided by."""
        layer = f"{placed.name}."
        names = {
            each for each in self.weights if each.startswith(layer)
        } - placed.array_shapes.keys()
        if not names:
            return
        from bioae.equations.declarations import brian2_equations
        from bioae.equations.lowering.constants import positive_times
        from bioae.equations.parameters import parameter_values

        for prefix, model in ((layer, placed.model), (f"{layer}readout.", placed.readout)):
            times = positive_times(brian2_equations(model), parameter_values(model))
            for name in sorted({prefix + time for time in times} & names):
                if (self.weights[name] <= 0).any():
                    raise NetworkError(
                        f"the equations divide by the array {name!r}",
                        expected="positive times",
                        found=str(self.weights[name].min()),
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
        arrays = [(f"{placed.name}.{name}", name) for name in values]
        if readout:
            arrays = [each for each in arrays if each[1] in placed.shared_parameters]
            arrays += [(f"{placed.name}.readout.{name}", name) for name in values]
        for array, name in arrays:
            if array in self.weights and array not in placed.array_shapes:
                values[name] = np.asarray(self.weights[array], np.float64)
        return values

    def persistent(self, placed: PlacedLayer) -> dict[str, NDArray[np.float64]]:
        """Return the values with which a layer's persistent variables start, by array (neuron)."""
        if not placed.persistent:
            return {}
        values = self.parameters(placed)
        return {
            array: np.broadcast_to(values[placed.model.initial[name]], placed.size).astype(float)
            for name, array in placed.persistent.items()
        }

    def fan_out(self) -> dict[str, NDArray[np.int64]]:
        """Count the synapses that leave each neuron, by layer (neuron,).

        They lead to the next layer, and within the layer where it is recurrent: the synaptic events
        of one spike (`bioae.analysis.cost`). The last layer's neurons have only recurrent ones,
        because the decoder reads their spikes without synapses.
        """
        counts = self.synapse_counts()
        names = [placed.name for placed in self.config.placed]
        return {
            name: counts[name]["recurrent"] + (counts[following]["forward"] if following else 0)
            for name, following in zip(names, (*names[1:], None), strict=True)
        }

    def synapse_counts(self) -> dict[str, dict[str, NDArray[np.int64]]]:
        """Count the synapses that each layer receives, by the neuron from which they come.

        Connections that do not exist do not count, where a rule exchanges them.

        Returns
        -------
        dict
            For each layer, ``forward``: the synapses from each neuron of the layer before, or of
            the input, shape ``(source,)``; and ``recurrent``: those from each of its own neurons,
            shape ``(neuron,)``, 0 where it is not recurrent. `bioae.analysis.operations` takes
            them.
        """
        counts = {}
        for placed in self.config.placed:
            existing = {
                weights.removeprefix(f"{placed.name}."): self.weights[array].sum(0).astype(np.int64)
                for weights, array in placed.connections.items()
                if array in self.weights
            }
            sources = math.prod(placed.input_shape)
            if isinstance(placed.layer, Dense):
                forward = np.full(sources, placed.size, np.int64)
            else:
                source = placed.layer.connections(placed.input_shape).source
                forward = np.bincount(source, minlength=sources).astype(np.int64)
            others = placed.size - (not placed.layer.autapses) if placed.layer.recurrent else 0
            own = np.full(placed.size, others, np.int64)
            counts[placed.name] = {
                "forward": existing.get("weight", forward),
                "recurrent": existing.get("recurrent", own),
            }
        return counts

    def _summary(self) -> Summary:
        count = sum(values.size for values in self.weights.values())
        heading, (head, *rows) = self.config._summary()
        table = [head]
        for row, placed in zip(rows, self.config.placed, strict=True):
            # What was trained or replaced: the models' files have other values.
            own = own_texts(placed, self.weights)
            table += [row, *(("",) * (len(row) - 1) + (text,) for text in own)]
        heading = heading.replace("NetworkConfig", "Network")
        return Summary(f"{heading}, {count:,} numbers", table)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the description and the weights."""
        digest = hashlib.sha256()
        config = self.config.self_contained().to_mapping()
        digest.update(json.dumps(config, sort_keys=True).encode())
        for name in sorted(self.weights):
            values = np.ascontiguousarray(self.weights[name], dtype=np.float64)
            digest.update(f"{name}{values.shape}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()


class _Arrays(dict[str, NDArray[Any]]):
    """Arrays by name that cannot be changed: the hash of a network is computed once."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        super().__init__()
        for name, values in arrays.items():
            # Arrays that somebody else can change are copied.
            own = np.asarray(values)
            own = own.copy(order="K") if own.flags.writeable else own
            own.flags.writeable = False
            super().__setitem__(name, own)

    def __reduce__(self) -> tuple[type[_Arrays], tuple[dict[str, NDArray[Any]]]]:
        return _Arrays, (dict(self),)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise NetworkError(
            "the arrays of a network cannot be changed",
            where="weights",
            hint="Make another network: network.with_weights({NAME: values})",
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse


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
