"""Statistics of spike trains that bioae and elephant share, on the same trains."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import elephant.spike_train_correlation as correlation
import elephant.spike_train_dissimilarity as dissimilarity
import neo
import numpy as np
import quantities as pq
import xarray as xr
from elephant import conversion, statistics
from elephant.kernels import GaussianKernel
from numpy.typing import NDArray

from benchmarks.random_results import RandomSpikes, random_result
from bioae import analysis

_LAYER = "latent"
_MS = 1 * pq.ms
_WINDOW_MS = 3.0
_SIGMA_MS = 2.0
_TAU_MS = 10.0
_COST_PER_MS = 0.1

Trains = list[neo.SpikeTrain]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Shared:
    """A statistic of both libraries.

    Attributes
    ----------
    what
        Its name in the table: that of elephant.
    elephant, bioae
        The functions that measure it.
    values
        Functions that turn either result into numbers to compare, in this order.
    scale
        Trains or pairs that bioae measures, per one that elephant measures.
    loop
        Whether elephant is called once per train, trial or pair.
    repeated
        Whether other rows have the same statistics.
    """

    what: str
    elephant: Callable[[], Any]
    bioae: Callable[[], Any]
    values: tuple[Callable[[Any], Values], Callable[[Any], Values]]
    scale: float = 1.0
    loop: bool = True
    repeated: bool = False

    def difference(self) -> float:
        """Return the largest difference divided by the largest value; NaN must be NaN in both."""
        reference, ours = (
            numbers(measure())
            for numbers, measure in zip(self.values, (self.elephant, self.bioae), strict=True)
        )
        defined = np.isfinite(reference)
        if not defined.any() or (defined != np.isfinite(ours)).any():
            return float("nan")
        largest = np.abs(reference[defined]).max()
        return float(np.abs(reference[defined] - ours[defined]).max() / largest)


def train_statistics(spikes: RandomSpikes, *, slow: bool) -> Iterator[Shared]:
    """Yield statistics of each train of a single presentation, or of all together.

    Parameters
    ----------
    slow
        Whether to include statistics that take elephant milliseconds per train.
    """
    tree, trains = _both(spikes)
    one = f"{len(trains):,} trains: "
    per_neuron: list[tuple[str, Callable[[Any], Any], Callable[..., xr.DataArray], float]] = [
        ("mean_firing_rate", statistics.mean_firing_rate, analysis.firing_rate, 1e3),
        ("mean isi", _mean_interval, analysis.mean_interval, 1.0),
        ("cv", _of_intervals(statistics.cv), analysis.isi_cv, 1.0),
        ("cv2", _of_intervals(statistics.cv2), analysis.isi_cv2, 1.0),
        ("lv", _of_intervals(statistics.lv), analysis.lv, 1.0),
        ("lvr", _of_intervals(statistics.lvr), analysis.lvr, 1.0),
    ]
    for name, reference, ours, factor in per_neuron:
        yield Shared(
            one + name,
            partial(_each, reference, trains),
            partial(ours, tree, _LAYER),
            (partial(_scaled, factor), np.asarray),
        )
    yield Shared(
        one + "isi, pooled",
        partial(_each, statistics.isi, trains),
        partial(analysis.isi_distribution, tree, _LAYER),
        (partial(_distribution, spikes.steps), np.asarray),
    )
    yield Shared(
        one + "mean isi, cv, cv2, lv and lvr",
        lambda: [_each(reference, trains) for _, reference, _, _ in per_neuron[1:]],
        partial(_in_one_pass, tree, [ours for _, _, ours, _ in per_neuron[1:]]),
        (lambda results: np.concatenate([_scaled(1, each) for each in results]), np.concatenate),
        repeated=True,
    )
    if slow:
        yield from _over_time(tree, trains)


def _over_time(tree: xr.DataTree, trains: Trains) -> Iterator[Shared]:
    one = f"{len(trains):,} trains: "
    kernel = GaussianKernel(_SIGMA_MS * pq.ms)
    histogram = partial(statistics.time_histogram, bin_size=_MS)
    rate = partial(statistics.instantaneous_rate, sampling_period=_MS, kernel=kernel)
    ours = partial(analysis.population_rate, tree, _LAYER)
    smooth = partial(ours, sigma_ms=_SIGMA_MS)
    # Rates are per second, and histograms are of counts.
    summed = (partial(_summed, 1e3 / len(trains)), np.asarray)
    inside = (partial(_inside, 1 / len(trains)), partial(_inside, None))
    yield Shared(one + "time_histogram", partial(_each, histogram, trains), ours, summed)
    yield Shared(
        one + "time_histogram, elephant's pooled call",
        lambda: [histogram(trains)], ours, summed, loop=False,
    )  # fmt: skip
    yield Shared(one + "instantaneous_rate", partial(_each, rate, trains), smooth, inside)
    pooled = partial(rate, trains, pool_spike_trains=True)
    once = (partial(_inside, 1.0), partial(_inside, None))
    yield Shared(
        one + "instantaneous_rate, elephant's pooled call",
        lambda: [pooled()], smooth, once, loop=False,
    )  # fmt: skip


def trial_statistics(spikes: RandomSpikes) -> Iterator[Shared]:
    """Yield statistics of each neuron over several presentations."""
    tree, trains = _both(spikes)
    trials = [trains[neuron :: spikes.neurons] for neuron in range(spikes.neurons)]
    unbiased = spikes.examples / (spikes.examples - 1)
    yield Shared(
        f"{spikes.neurons:,} neurons, {spikes.examples} presentations: fanofactor",
        partial(_each, statistics.fanofactor, trials),
        partial(analysis.fano_factor, tree, _LAYER),
        (partial(_scaled, unbiased), np.asarray),
    )


def pair_statistics(spikes: RandomSpikes, *, sample: int, lagged: int) -> Iterator[Shared]:
    """Yield statistics of all pairs of trains of a presentation.

    Parameters
    ----------
    sample
        Number of pairs that elephant measures, drawn at random from the trains with spikes.
    lagged
        Number of pairs whose lags bioae counts; the first are those of the sample.
    """
    tree, trains = _both(spikes)
    one = f"{len(trains):,} trains, pairs: "
    fires = np.flatnonzero([len(train) > 0 for train in trains])
    rng = np.random.default_rng(spikes.seed)
    random_pairs = np.array([rng.choice(fires, 2, replace=False) for _ in range(lagged)])
    pairs = [(int(a), int(b)) for a, b in random_pairs]
    few = pairs[:sample]
    every = len(trains) * (len(trains) - 1) / 2 / sample
    raster = analysis.raster(tree, _LAYER, example=0)
    binned = conversion.BinnedSpikeTrain(trains, bin_size=_MS, t_start=0 * pq.ms)
    both = {pair: binned[list(pair)] for pair in few}
    single = {
        index: conversion.BinnedSpikeTrain(trains[index], bin_size=_MS)
        for index in {index for pair in few for index in pair}
    }
    matrix = (_row, partial(_at, few))
    whole = (partial(_upper, fires), partial(_upper, fires))
    correlated = partial(analysis.temporal_correlation_matrix, tree, _LAYER, example=0)
    yield Shared(
        one + "correlation_coefficient",
        lambda: [correlation.correlation_coefficient(both[pair])[0, 1] for pair in few],
        correlated, matrix, every,
    )  # fmt: skip
    yield Shared(
        one + "correlation_coefficient, elephant's matrix",
        lambda: correlation.correlation_coefficient(binned), correlated, whole, loop=False,
    )  # fmt: skip
    yield Shared(
        one + f"cross_correlation_histogram, {lagged:,} pairs",
        lambda: [correlation.cross_correlation_histogram(single[a], single[b])[0] for a, b in few],
        partial(analysis.cross_correlogram, tree, _LAYER, pairs),
        (_columns, lambda results: results["count"].to_numpy()[:sample].astype(float)),
        lagged / sample,
    )  # fmt: skip
    # A window longer by half a step in continuous time equals that on the grid.
    tiling = partial(correlation.spike_time_tiling_coefficient, dt=(_WINDOW_MS + 0.5) * pq.ms)
    yield Shared(
        one + "spike_time_tiling_coefficient",
        lambda: [tiling(trains[a], trains[b]) for a, b in few],
        partial(analysis.spike_time_tiling, tree, _LAYER, window_ms=_WINDOW_MS),
        matrix, every,
    )  # fmt: skip
    rossum = partial(dissimilarity.van_rossum_distance, time_constant=_TAU_MS * pq.ms)
    ours = partial(analysis.van_rossum_distance, raster, tau_ms=_TAU_MS)
    yield Shared(
        one + "van_rossum_distance",
        lambda: [rossum([trains[a], trains[b]])[0, 1] for a, b in few],
        ours, matrix, every,
    )  # fmt: skip
    yield Shared(
        one + "van_rossum_distance, elephant's matrix",
        lambda: rossum(trains), ours, whole, loop=False,
    )  # fmt: skip
    purpura = partial(dissimilarity.victor_purpura_distance, cost_factor=_COST_PER_MS / pq.ms)
    yield Shared(
        one + "victor_purpura_distance",
        lambda: [purpura([trains[a], trains[b]])[0, 1] for a, b in few],
        partial(analysis.victor_purpura_distance, raster, cost_per_ms=_COST_PER_MS),
        matrix, every,
    )  # fmt: skip


def _both(spikes: RandomSpikes) -> tuple[xr.DataTree, Trains]:
    """Return a result, and its trains by example and neuron, with spikes at mid-step."""
    tree = random_result(spikes)
    stop = spikes.steps * spikes.dt_ms
    trains = [
        neo.SpikeTrain((np.flatnonzero(row) + 0.5) * spikes.dt_ms, units="ms", t_stop=stop)
        for example in range(spikes.examples)
        for row in analysis.raster(tree, _LAYER, example=example).to_numpy()
    ]
    return tree, trains


def _in_one_pass(tree: xr.DataTree, measures: list[Callable[..., xr.DataArray]]) -> list[Any]:
    """Return measures that share one pass over the spikes, as in `statistics`."""
    sums = analysis.interval_sums(tree, _LAYER)
    return [measure(tree, _LAYER, sums=sums) for measure in measures]


def _each(measure: Callable[[Any], Any], trains: list[Any]) -> list[Any]:
    return [measure(train) for train in trains]


def _of_intervals(measure: Callable[[Any], Any]) -> Callable[[neo.SpikeTrain], Any]:
    def measured(train: neo.SpikeTrain) -> Any:
        # For fewer than two intervals elephant raises, or its definition differs.
        return measure(statistics.isi(train)) if len(train) > 2 else np.nan

    return measured


def _mean_interval(train: neo.SpikeTrain) -> Any:
    return statistics.isi(train).magnitude.mean() if len(train) > 1 else np.nan


def _scaled(factor: float, results: list[Any]) -> Values:
    return np.array([float(value) for value in results]) * factor


def _distribution(steps: int, results: list[Any]) -> Values:
    every = np.concatenate([each.magnitude for each in results])
    count = np.bincount(np.rint(every).astype(int), minlength=steps)[1:]
    return np.asarray(count / count.sum())


def _summed(factor: float, results: list[Any]) -> Values:
    return np.asarray(sum(each.magnitude.ravel() * factor for each in results))


def _inside(factor: float | None, results: Any) -> Values:
    """Return a smoothed rate away from the edges, for a kernel that sums to 1."""
    reach = int(5 * _SIGMA_MS)
    if factor is None:
        return np.asarray(results)[reach:-reach]
    lag = np.arange(-reach, reach + 1)
    total = np.exp(-((lag / _SIGMA_MS) ** 2) / 2).sum() / (_SIGMA_MS * np.sqrt(2 * np.pi))
    return _summed(factor / total, results)[reach:-reach]


def _row(results: list[Any]) -> Values:
    return np.array([float(value) for value in results])


def _at(pairs: list[tuple[int, int]], results: xr.DataArray) -> Values:
    return np.asarray(results.to_numpy()[tuple(np.transpose(pairs))])


def _upper(chosen: NDArray[np.int64], results: Any) -> Values:
    matrix = np.asarray(results)[np.ix_(chosen, chosen)]
    return np.asarray(matrix[np.triu_indices(chosen.size, 1)])


def _columns(results: list[Any]) -> Values:
    return np.array([each.magnitude.ravel() for each in results])


# Raised when elephant makes quantities.
warnings.filterwarnings("ignore", "The 'copy' argument in Quantity is deprecated")
