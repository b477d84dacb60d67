"""Event-driven simulation of a layer of neurons with a linear spike response.

The potential ``P(t) = sum w (t - t_u - d)+`` is piecewise linear between the arrivals of spikes, so
that the first crossing of the threshold is a solution of a linear equation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Times = NDArray[np.float64]

#: Numbers (example, neuron, input) that are computed at a time.
_BLOCK = 2**20


def spike_times(
    times: ArrayLike, weights: ArrayLike, thresholds: ArrayLike, delays: ArrayLike = 0.0
) -> Times:
    """Return the spike times of a layer: the first times at which potentials reach the threshold.

    `times`: the spike times of the inputs (example, input), infinite for an input that is silent.
        The unit of time is arbitrary.
    `weights`: the slopes that spikes add to the potential (neuron, input).
    `thresholds`: positive thresholds (neuron,), or one for all neurons.
    `delays`: delays from input to neuron, not negative (neuron, input), or one for all.

    Returns (example, neuron), infinite where the threshold is never reached.
    """
    return first_crossings(times, weights, thresholds, delays)[0]


def first_crossings(
    times: ArrayLike, weights: ArrayLike, thresholds: ArrayLike, delays: ArrayLike = 0.0
) -> tuple[Times, Times]:
    """Return the spike times of a layer, and the arrivals of the last causal inputs.

    `times`, `weights`, `thresholds`, `delays`: as for `spike_times`.

    Returns (example, neuron) each. A spike follows the arrival, even if both round to one number;
    the arrival is arbitrary where the threshold is never reached.
    """
    arriving, weights = np.asarray(times, np.float64), np.asarray(weights, np.float64)
    thresholds = np.broadcast_to(np.asarray(thresholds, np.float64), len(weights))
    delays = np.broadcast_to(np.asarray(delays, np.float64), weights.shape)
    spikes, arrivals = np.empty((2, len(arriving), len(weights)))
    rows = max(1, _BLOCK // weights.size)
    for start in range(0, len(arriving), rows):
        part = slice(start, start + rows)
        arrived = arriving[part, None] + delays
        spikes[part], arrivals[part] = _first_crossings(arrived, weights, thresholds)
    return spikes, arrivals


def causal_sets(
    times: ArrayLike, weights: ArrayLike, thresholds: ArrayLike, delays: ArrayLike = 0.0
) -> NDArray[np.bool_]:
    """Return which inputs arrive before a neuron fires, and so determine its spike time.

    Within the region of input times that share a causal set S, the spike time is the affine
    function ``(threshold + sum_S w (t + d)) / sum_S w``.

    `times`, `weights`, `thresholds`, `delays`: as for `spike_times`.

    Returns (example, neuron, input); no input belongs to a neuron that does not fire.
    """
    spikes = spike_times(times, weights, thresholds, delays)[..., None]
    arriving = np.asarray(times, np.float64)[:, None] + np.asarray(delays, np.float64)
    return np.asarray(np.isfinite(spikes) & (arriving < spikes))


def _first_crossings(arrivals: Times, weights: Times, thresholds: Times) -> tuple[Times, Times]:
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
