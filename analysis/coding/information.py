"""Mutual information between single neurons' responses and the class of the image, in bits.

Estimates from finite data are too high, because counts differ between classes by chance. A
correction removes most of this bias; shuffled labels, which carry no information, show the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.rates import first_spikes
from bioae.analysis.results.arrays import count_blocks, of_neurons, whole_steps
from bioae.analysis.results.layers import layer_data, of_layer, steps
from bioae.analysis.results.outputs import classes
from bioae.analysis.results.repeats import first_presentations
from bioae.checks import whole
from bioae.errors import ResultError

# The position of a block's first example, and the responses (example, neuron) of the block.
_Responses = Iterator[tuple[int, NDArray[np.int64]]]
# The plug-in estimate and its bias in bits, (neuron,) each.
_Estimate = tuple[NDArray[np.float64], NDArray[np.float64]]

# Numbers in a block of the table of all responses to all classes.
_CELLS = 2**20


@of_layer
def count_information(
    tree: xr.DataTree,
    layer: str,
    *,
    shuffles: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Mutual information between each neuron's spike count and the class, in bits.

    I = Σ p(r, c) log₂(p(r, c) / (p(r) p(c))), with frequencies for the probabilities, minus the
    bias to first order, which follows from the numbers of different counts, of classes and of pairs
    that occur (Miller 1955). It is the correction of Panzeri & Treves (1996) with these numbers as
    observed, and too small where many pairs are rare.

    Parameters
    ----------
    shuffles
        Number of repetitions with classes shuffled among the examples; in the result of
        `presentations`, among the stimuli. Each reads all counts.
    seed
        Seed of the shuffles.

    Returns
    -------
    xarray.Dataset
        (neuron,) in bits: ``mutual_information``, corrected; ``bias``, the correction, which was
        subtracted: their sum is the plug-in estimate. Both are 0 for a neuron that always responds
        the same. Corrected values of uninformative neurons scatter around 0 and may be negative.
        The scalar ``class_entropy`` is the upper bound. With shuffles also
        ``shuffled_mean`` and ``shuffled_deviation`` (ddof 1; NaN for a single shuffle) of the same
        measure. NaN without examples.

    Notes
    -----
    The correction takes responses as independent. Repeats of a stimulus are not: with few stimuli
    of many repeats each, the bias is larger than the correction. Shuffles show it.

    References
    ----------
    Miller (1955), Note on the bias of information estimates, in: Information Theory in
    Psychology; Panzeri & Treves (1996), Network 7, 87-107, doi:10.1080/0954898X.1996.11978656.
    """
    return _measured(
        tree, layer, lambda: count_blocks(tree, layer), steps(tree) + 1,
        shuffles=shuffles, seed=seed,
    )  # fmt: skip


@of_layer
def latency_information(
    tree: xr.DataTree,
    layer: str,
    *,
    bin_ms: float | None = None,
    shuffles: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Mutual information between each neuron's first-spike latency and the class, in bits.

    As in `count_information`; silence is a further response.

    Parameters
    ----------
    bin_ms
        Width of the bins of latency, from the start of the presentation; one step by default.
        Wider bins reduce the bias.
    shuffles, seed
        As in `count_information`.

    Returns
    -------
    xarray.Dataset
        As from `count_information`.
    """
    width = whole_steps(tree, "bin_ms", bin_ms)
    bins = -(-steps(tree) // width)
    return _measured(
        tree, layer, lambda: first_spikes(tree, layer, width), bins + 1,
        shuffles=shuffles, seed=seed,
    )  # fmt: skip


def _measured(
    tree: xr.DataTree,
    layer: str,
    responses: Callable[[], _Responses],
    different: int,
    *,
    shuffles: int,
    seed: int,
) -> xr.Dataset:
    shuffles = whole(shuffles, "shuffles", error=ResultError)
    whole(seed, "the seed", most=2**64 - 1, error=ResultError)
    shape = (layer_data(tree, layer).sizes["neuron"], different)
    _, index = classes(tree)

    def corrected(labels: NDArray[np.int64]) -> _Estimate:
        plug_in, bias = _information(_response_table(responses(), labels, *shape))
        return plug_in - bias, bias

    information, bias = corrected(index)
    columns = {
        "mutual_information": (information, "mutual information with the class"),
        "bias": (bias, "bias that was subtracted"),
    }
    if shuffles:
        rng = np.random.default_rng(seed)
        first, of_example = first_presentations(tree)
        each = np.array(
            [corrected(rng.permutation(index[first])[of_example])[0] for _ in range(shuffles)]
        )
        deviation = each.std(0, ddof=1) if shuffles > 1 else np.full(shape[0], np.nan)
        columns["shuffled_mean"] = (each.mean(0), "mean information of shuffled classes")
        columns["shuffled_deviation"] = (deviation, "standard deviation of the same")
    arrays = {
        name: of_neurons((tree, layer), values, name, text, "bit")
        for name, (values, text) in columns.items()
    }
    share = np.bincount(index) / max(index.size, 1)
    entropy = float(-(share * np.log2(share)).sum()) if index.size else np.nan
    total = ((), entropy, {"long_name": "entropy of the classes", "units": "bit"})
    return xr.Dataset({**arrays, "class_entropy": total})


def _response_table(
    responses: _Responses, index: NDArray[np.int64], neurons: int, different: int
) -> NDArray[np.int32]:
    """Count the responses of each neuron to each class, (neuron, class, response)."""
    number = int(index.max(initial=-1)) + 1
    table = np.zeros((neurons, number, different), np.int32)
    cells = max(number * different, 1)
    width = max(1, _CELLS // cells)
    for start, response in responses:
        class_offset = index[start : start + len(response), None] * different
        for left in range(0, neurons, width):
            part = response[:, left : left + width]
            place = part + class_offset + np.arange(part.shape[1]) * cells
            count = np.bincount(place.ravel(), minlength=part.shape[1] * cells)
            table[left : left + width] += count.reshape(-1, number, different).astype(np.int32)
    return table


def _information(table: NDArray[np.int32]) -> _Estimate:
    """Estimate the information between response and class, from (neuron, class, response)."""
    neurons, number, different = table.shape
    plug_in, bias = np.full((2, neurons), np.nan)
    examples = int(table[:1].sum())
    # A lookup table of n ln(n).
    n = np.arange(examples + 1, dtype=np.float64)
    terms = n * np.log(np.maximum(n, 1))
    width = max(1, _CELLS // max(number * different, 1))
    for left in range(0, neurons if examples else 0, width):
        joint = table[left : left + width]
        by_response, by_class = joint.sum(1), joint[0].sum(1)
        sums = terms[joint].sum((1, 2)) - terms[by_response].sum(1) - terms[by_class].sum()
        occupied = [np.count_nonzero(part, axis=-1) for part in (joint, by_response)]
        excess = occupied[0].sum(1) - occupied[1] - np.count_nonzero(by_class) + 1
        plug_in[left : left + width] = (terms[-1] + sums) / examples
        bias[left : left + width] = excess / (2 * examples)
    return plug_in / np.log(2), bias / np.log(2)
