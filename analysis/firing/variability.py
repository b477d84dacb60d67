"""Variability of spike counts: Fano factor over repeats or examples, variance within classes.

Where a result has repeats (`bioae.analysis.presentations`), the Fano factor is the variability of
repeated trials. Elsewhere the examples are different images, and most of it is the neuron's code
for the images. `dispersion` separates the variance within classes.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.arrays import (
    along,
    check_several,
    described,
    of_neurons,
    ratio,
    runs,
    whole_steps,
)
from bioae.analysis.results.class_sums import class_sums
from bioae.analysis.results.layers import layer_data, of_layer, steps
from bioae.analysis.results.repeats import stimulus_index
from bioae.analysis.results.spikes import blocks, trains


@of_layer
def fano_factor(tree: xr.DataTree, layer: str, *, window_ms: float | None = None) -> xr.DataArray:
    """Fano factor: variance of the spike counts over examples, divided by their mean.

    The variance is unbiased (ddof 1); `elephant.statistics.fanofactor` divides by n. It is 1 for a
    Poisson process. Fano (1947), Phys. Rev. 72:26.

    In the result of `presentations`, the variance is that over the repeats of a stimulus (ddof 1),
    and both variance and mean are averaged over stimuli with the weights n - 1 of their n repeats.
    So the response to different stimuli adds nothing to it.

    Parameters
    ----------
    window_ms
        Count in consecutive windows of this length, a whole number of steps, and leave out an
        incomplete last one. By default over the whole presentation.

    Returns
    -------
    xarray.DataArray
        (neuron,), or (neuron, window) with the windows' starts in milliseconds as coordinate
        `window`. NaN without a spike (of a stimulus with repeats, if there are any). The attribute
        `over` is ``"repeats"`` or ``"examples"``.
    """
    data = layer_data(tree, layer)
    examples = data.sizes["example"]
    check_several(examples, "examples")
    stimuli = stimulus_index(tree)
    index = np.zeros(examples, np.int64) if stimuli is None else stimuli
    sizes = np.bincount(index)
    if window_ms is None:
        sums = class_sums(tree, layer, by_label=False, by_stimulus=True)
        fano = along(data, _fano(sums.total, sums.squares.sum(0), sizes), "neuron")
    else:
        width = whole_steps(tree, "window_ms", window_ms)
        total, squares = _window_sums(tree, layer, width, index)
        fano = along(data, _fano(total, squares, sizes), "neuron", "window")
        start = np.arange(total.shape[-1]) * width * float(tree.attrs["dt_ms"])
        attrs = {"long_name": "start of the window", "units": "ms"}
        fano = fano.assign_coords(window=("window", start, attrs))
    fano = described(fano, "fano_factor", "Fano factor", "1")
    return fano.assign_attrs(over="examples" if stimuli is None else "repeats")


@of_layer
def dispersion(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Variance of the spike counts over examples, split into within and between classes.

    Returns
    -------
    xarray.Dataset
        Along `neuron`: `total`, the Fano factor; and, if the result has labels, `within`, the
        variance within classes over the mean, both averaged over classes with the weights n - 1 of
        their n examples; and `explained`, the fraction of the sum of squares between classes (η²
        of an analysis of variance). NaN without a spike; `within` also without one in a class of
        two examples or more, `explained` also if the counts do not vary.
    """
    examples = layer_data(tree, layer).sizes["example"]
    check_several(examples, "examples")
    labelled = "label" in tree.variables
    sums = class_sums(tree, layer, by_label=labelled)
    total, squares = sums.total.sum(0), sums.squares.sum(0)
    columns = {"total": ("Fano factor", _fano(total[None], squares, np.array([examples])))}
    if labelled:
        within = sums.around_mean()
        n = sums.sizes[:, None]
        inside = ratio(within, ((n - 1) * (sums.total / n)).sum(0))
        columns["within"] = ("Fano factor within classes", inside)
        explained = 1 - ratio(examples * within, examples * squares - total**2)
        columns["explained"] = ("fraction of the variance between classes", explained)
    return xr.Dataset(
        {
            name: of_neurons((tree, layer), values, name, long_name)
            for name, (long_name, values) in columns.items()
        }
    )


def _fano(
    total: NDArray[np.int64], squares: NDArray[np.int64], sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return Fano factors from counts by stimulus, (stimulus, ...), and their squares, (...).

    The sum of squares around the means of the stimuli, over the sum of (n - 1) times these means.
    """
    if (sizes == sizes[0]).all():  # in integers
        over = sizes[0] * squares - (total**2).sum(0)
        return ratio(over, (sizes[0] - 1) * total.sum(0))
    n = sizes.reshape(-1, *[1] * (total.ndim - 1))
    means = total / n
    return ratio(squares - (means * total).sum(0), ((n - 1) * means).sum(0))


def _window_sums(
    tree: xr.DataTree, layer: str, width: int, index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum the counts in windows by stimulus, and the squares of all.

    They are (stimulus, neuron, window) and (neuron, window); `index` is the stimulus of each
    example.
    """
    windows = steps(tree) // width
    neurons = layer_data(tree, layer).sizes["neuron"]
    stimuli, size = int(index.max()) + 1, neurons * windows
    total, squares = np.zeros(stimuli * size, np.int64), np.zeros(size, np.int64)
    for block in blocks(tree, layer):
        bounds, position, step = trains(block)
        window = step // width
        inside = window < windows
        place = np.repeat(np.arange(neurons) * windows, np.diff(bounds)) + window
        # Spikes are sorted by neuron, example and time: those of a window are contiguous.
        # A run is known by its place and example; that of its stimulus adds them up.
        shown = index[block.start + position[inside]]
        places, count = runs(place[inside], position[inside])
        stimulus, _ = runs(shown, place[inside] * block.examples + position[inside])
        np.add.at(total, stimulus * size + places, count)
        np.add.at(squares, places, count**2)
    return total.reshape(stimuli, neurons, windows), squares.reshape(neurons, windows)
