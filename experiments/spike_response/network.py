"""Networks of neurons with a linear spike response: exact spike times, or an ordinary network.

The potential ``P(t) = sum w (t - t_u)+`` is piecewise linear between the arrivals of spikes, so
that the first crossing of the threshold is a solution of a linear equation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.errors import NetworkError

if TYPE_CHECKING:
    import xarray as xr

    from bioae.networks import Network

Numbers = NDArray[np.float64]

#: A spike time that is a multiple of dt up to rounding is not moved to the next one.
_ROUNDING = 1e-9

#: Numbers (example, neuron, input) that are computed at a time.
_BLOCK = 2**20


def spike_times(times: ArrayLike, weights: ArrayLike, thresholds: ArrayLike) -> Numbers:
    """Return the spike times of a layer: the first times at which potentials reach the threshold.

    `times`: the spike times of the inputs (example, input), infinite for an input that is silent.
        The unit of time is arbitrary.
    `weights`: the slopes that spikes add to the potential (neuron, input).
    `thresholds`: positive thresholds (neuron,), or one for all neurons.

    Returns (example, neuron), infinite where the threshold is never reached.
    """
    return first_crossings(times, weights, thresholds)[0]


def first_crossings(
    times: ArrayLike, weights: ArrayLike, thresholds: ArrayLike
) -> tuple[Numbers, Numbers]:
    """Return the spike times of a layer, and the arrivals of the last causal inputs.

    `times`, `weights`, `thresholds`: as for `spike_times`.

    Returns (example, neuron) each. A spike follows the arrival, even if both round to one number;
    the arrival is arbitrary where the threshold is never reached.
    """
    arriving, weights = np.asarray(times, np.float64), np.asarray(weights, np.float64)
    thresholds = np.broadcast_to(np.asarray(thresholds, np.float64), len(weights))
    spikes, arrivals = np.empty((2, len(arriving), len(weights)))
    rows = max(1, _BLOCK // weights.size)
    for start in range(0, len(arriving), rows):
        part = slice(start, start + rows)
        arrived = arriving[part, None].repeat(len(weights), axis=1)
        spikes[part], arrivals[part] = _first_crossings(arrived, weights, thresholds)
    return spikes, arrivals


def causal_sets(times: ArrayLike, weights: ArrayLike, thresholds: ArrayLike) -> NDArray[np.bool_]:
    """Return which inputs arrive before a neuron fires, and so determine its spike time.

    Within the region of input times that share a causal set S, the spike time is the affine
    function ``(threshold + sum_S w t) / sum_S w``.

    `times`, `weights`, `thresholds`: as for `spike_times`.

    Returns (example, neuron, input); no input belongs to a neuron that does not fire.
    """
    spikes = spike_times(times, weights, thresholds)[..., None]
    arriving = np.asarray(times, np.float64)[:, None]
    return np.asarray(np.isfinite(spikes) & (arriving < spikes))


def _first_crossings(
    arrivals: Numbers, weights: Numbers, thresholds: Numbers
) -> tuple[Numbers, Numbers]:
    """Return `first_crossings` (example, neuron) of arrivals (example, neuron, input)."""
    order = np.argsort(arrivals, axis=-1, kind="stable")
    arrivals = np.take_along_axis(arrivals, order, axis=-1)
    weights = np.take_along_axis(np.broadcast_to(weights, arrivals.shape), order, axis=-1)
    thresholds = thresholds[None, :, None]
    arrived = np.isfinite(arrivals)
    # Times since the first arrival lose no digits to a common offset.
    offset = np.where(arrived[..., :1], arrivals[..., :1], 0.0)
    begin = np.where(arrived, arrivals - offset, 0.0)
    weights = np.where(arrived, weights, 0.0)
    slope = np.cumsum(weights, axis=-1)
    intercept = np.cumsum(weights * begin, axis=-1)
    end = np.full_like(begin, np.inf)
    end[..., :-1] = np.where(arrived[..., 1:], begin[..., 1:], np.inf)
    last = np.isinf(end)
    # Of several segments without an end, all but the first have its slope and intercept.
    height = slope * np.where(last, 0.0, end) - intercept
    crosses = np.where(last, slope > 0, height >= thresholds) & arrived
    place = np.argmax(crosses, axis=-1)[..., None]
    chosen = (np.take_along_axis(each, place, axis=-1) for each in (slope, intercept, begin, end))
    slope, intercept, begin, end = chosen
    fires = np.take_along_axis(crosses, place, axis=-1)
    crossing = (thresholds + intercept) / np.where(fires & (slope > 0), slope, 1.0)
    crossing = np.clip(crossing, begin, end)
    spikes = np.where(fires, offset + crossing, np.inf)[..., 0]
    return spikes, np.asarray(offset + begin)[..., 0]


@dataclass(frozen=True, eq=False)
class SpikeTimeLayer:
    """A fully connected layer of neurons that fire once.

    `weights`: the slopes, per millisecond, that spikes add to the potential (neuron, input);
    `thresholds`: positive thresholds of the potential (neuron,).
    """

    weights: Numbers
    thresholds: Numbers

    def spike_times(self, times: ArrayLike, dt: float | None = None) -> Numbers:
        """Return the layer's spike times; see `SpikeTimeNetwork.spike_times`."""
        if dt is None:
            return spike_times(times, self.weights, self.thresholds)
        spikes, arrivals = first_crossings(times, self.weights, self.thresholds)
        # In the step in which its last causal input arrives a neuron does not integrate it yet.
        earliest = np.floor(arrivals / dt + _ROUNDING) + 1
        return np.asarray(np.maximum(np.ceil(spikes / dt - _ROUNDING), earliest) * dt)


@dataclass(frozen=True)
class TimeCode:
    """A code of values by spike times: x spikes at ``zero + slope * x``.

    `zero`: the spike time of 0, in milliseconds: one for all neurons, or (neuron,); `slope`:
    milliseconds per unit; if it is negative, a larger value spikes earlier.
    """

    zero: float | Numbers = 0.0
    slope: float = 1.0

    def encode(self, values: ArrayLike) -> Numbers:
        """Return the spike times of values (..., neuron)."""
        return np.asarray(self.zero + self.slope * np.asarray(values, np.float64))

    def decode(self, times: ArrayLike) -> Numbers:
        """Return the values of spike times (..., neuron)."""
        return np.asarray((np.asarray(times, np.float64) - self.zero) / self.slope)


@dataclass(frozen=True, eq=False)
class SpikeTimeNetwork:
    """A feed-forward network that computes with the times of single spikes.

    `layers`: the layers, from the input's side.
    `duration`: milliseconds from the start of a presentation to its end, after all spikes that
        matter; at most 4e6.
    `code`, `output_code`: the codes of the inputs and of the outputs; by default values are spike
        times.
    `reference`: the time of a reference spike, in milliseconds: an additional input, the last one,
        that fires at the same time whatever the values.
    `bounds`: the smallest and the largest values that the network is made for, (input,) each; by
        default any.
    """

    layers: tuple[SpikeTimeLayer, ...]
    duration: float
    code: TimeCode = field(default_factory=TimeCode)
    output_code: TimeCode = field(default_factory=TimeCode)
    reference: float | None = None
    bounds: tuple[Numbers, Numbers] | None = None

    @property
    def inputs(self) -> int:
        """The number of values that the network takes, without the reference spike."""
        return int(self.layers[0].weights.shape[1]) - (self.reference is not None)

    def encode(self, values: ArrayLike) -> Numbers:
        """Return the spike times of the inputs, and of the reference spike.

        `values`: numbers (example, value).

        Returns milliseconds (example, input).

        Raises `NetworkError` if a value is out of bounds.
        """
        values = np.asarray(values, np.float64)
        self._check_bounds(values)
        times = self.code.encode(values)
        if self.reference is None:
            return times
        return np.pad(times, ((0, 0), (0, 1)), constant_values=self.reference)

    def _check_bounds(self, values: Numbers) -> None:
        if self.bounds is None:
            return
        low, high = (np.broadcast_to(each, self.inputs) for each in self.bounds)
        outside = np.argwhere((values < low) | (values > high))
        if len(outside):
            example, place = outside[0]
            raise NetworkError(
                f"value {place} of example {example} is out of the bounds of the network",
                expected=f"from {low[place]:g} to {high[place]:g}",
                found=f"{values[example, place]:g}",
                hint="Compile it with other bounds: compile_relu(..., low=..., high=...)",
            )

    def spike_times(self, values: ArrayLike, dt: float | None = None) -> list[Numbers]:
        """Return the spike times of each layer, in milliseconds (example, neuron).

        `values`: numbers (example, value).
        `dt`: a time step in milliseconds. The spikes of neurons then wait for the next multiple of
            it, those of inputs are rounded to the nearest one: the spike times of the network of
            `to_network` in its own time steps. They equal those of Brian2 if dt is a millisecond
            divided by a power of two, and weights and thresholds are on a dyadic grid; otherwise a
            spike may differ by a step. Potentials that cross up to 1e-9 steps after a step count as
            crossing in it. By default times are exact. A spike after `duration` is given here, and
            does not come in a simulation, which has ended.
        """
        times = self.encode(values)
        if dt is not None:
            times = np.rint(times / dt) * dt
        spikes = []
        for layer in self.layers:
            times = layer.spike_times(times, dt)
            spikes.append(times)
        return spikes

    def run_events(self, values: ArrayLike, dt: float | None = None) -> Numbers:
        """Return the outputs (example, output), of exact spike times by default.

        An output neuron that stays silent gives infinity.

        `values`, `dt`: as for `spike_times`.
        """
        return self.output_code.decode(self.spike_times(values, dt)[-1])

    def to_network(self, dt: str = "1*ms") -> Network:
        """Return the ordinary network of ramp neurons that computes the same in time steps.

        Its images are those of `images`; its outputs, the steps from the output neurons' spikes to
        the end of the presentation, are read by `decode`. Layers are called ``layer1``, ``layer2``
        and so on. In the schedule ``"paper"`` a neuron that fires in step n of its window has the
        spike time n dt in every layer.

        `dt`: the time step. If it is a millisecond divided by a power of two, and weights and
            thresholds are on a dyadic grid, all targets agree to the last bit.
        """
        from bioae.networks import Network, NetworkConfig

        shape = [1, 1, self.layers[0].weights.shape[1]]
        config = NetworkConfig.from_mapping(
            {
                "input_shape": shape,
                "dt": dt,
                "steps": self._steps(_milliseconds(dt)),
                "schedule": "paper",
                "neuron": "ramp",
                "task": {"kind": "regression", "outputs": len(self.layers[-1].weights)},
                "encoder": {"kind": "first_spike"},
                "decoder": {"kind": "first_spike", "scale": 1.0},
                # A neuron fires once: it is refractory to the end of the presentation.
                "layers": [
                    {
                        "kind": "dense",
                        "name": f"layer{place}",
                        "units": len(layer.weights),
                        "parameters": {"t_ref": f"{2 * self.duration!r}*ms"},
                    }
                    for place, layer in enumerate(self.layers, start=1)
                ],
            },
            where="to_network",
        )
        arrays: dict[str, NDArray[np.floating]] = {}
        for placed, layer in zip(config.placed, self.layers, strict=True):
            arrays[f"{placed.name}.weight"] = layer.weights
            arrays[f"{placed.name}.theta"] = layer.thresholds
        return Network(config, arrays)

    def images(self, values: ArrayLike, network: Network) -> Numbers:
        """Return values as the images of `to_network`: a pixel per input, at its spike time.

        `values`: numbers (example, value); `network`: the network of `to_network`.

        Returns (example, 1, 1, input), in [0, 1].
        """
        dt, steps = _timing(network)
        times = self.encode(values)
        places = np.rint(times / dt)
        return np.asarray(1.0 - places / (steps - 1))[:, None, None, :]

    def decode(self, outputs: ArrayLike, network: Network) -> Numbers:
        """Return the values of outputs of `to_network`; infinity where no spike came.

        `outputs`: steps from the spike to the end of the presentation (example, output); `network`:
        the network of `to_network`.
        """
        dt, steps = _timing(network)
        left = np.asarray(outputs, np.float64)
        times = np.where(left > 0, (steps - left) * dt, np.inf)
        return self.output_code.decode(times)

    def read_times(self, result: xr.DataTree) -> list[Numbers]:
        """Return the first spike times of each layer in a result of `to_network`.

        `result`: the result of a simulation, in Brian2 or in the mirror, without repeats.

        Returns milliseconds (example, neuron), in the order of the result's examples; infinite
        without a spike. Compare `spike_times`.
        """
        read = []
        for place in range(1, len(self.layers) + 1):
            layer: Any = result[f"layers/layer{place}"]
            times = np.full(layer["spike_count"].shape, np.inf)
            example, neuron, time = (
                layer[f"spike_{name}"].to_numpy() for name in ("example", "neuron", "time_ms")
            )
            row = result.indexes["example"].get_indexer(example)
            known = row >= 0  # of selected examples
            np.minimum.at(times, (row[known], neuron[known]), time[known])
            read.append(times)
        return read

    def _steps(self, dt: float) -> int:
        return math.ceil(self.duration / dt - _ROUNDING) + 1


def _timing(network: Network) -> tuple[float, int]:
    """Return the time step in milliseconds and the number of steps."""
    return network.config.dt_seconds * 1e3, network.config.steps


def _milliseconds(dt: str) -> float:
    from bioae.equations.quantities import time_in_seconds

    return time_in_seconds(dt, where="dt", error=NetworkError) * 1e3
