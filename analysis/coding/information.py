"""What a neuron's spikes tell about the class of the image, in bits.

Of finite data, information is estimated too high: counts differ between classes by chance. A
correction takes most of it off; shuffled labels, which carry none, show what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.coding.contingency import (
    Information,
    Responses,
    entropy,
    information,
    response_table,
)
from bioae.analysis.results.arrays import along, classes, count_blocks, whole_steps
from bioae.analysis.results.layers import described, layer_data, steps
from bioae.analysis.results.spikes import blocks
from bioae.errors import ResultError

__all__ = ["Correction", "count_information", "latency_information"]

Correction = Literal["miller_madow", "none"]
# Numbers in a block of responses.
_ENTRIES = 2**22


def count_information(
    tree: xr.DataTree,
    layer: str,
    *,
    correction: Correction = "miller_madow",
    shuffles: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Return the mutual information of each neuron's spike count and the class.

    Parameters
    ----------
    correction
        ``"miller_madow"`` subtracts the bias to first order, found from the numbers of different
        counts, classes and pairs of them that were seen (Miller 1955). It is that of Panzeri &
        Treves (1996) with those numbers taken as they were seen. Where many pairs are rare, it
        is too little. ``"none"`` is the plug-in estimate.
    shuffles
        How often to measure again with the classes shuffled among the examples. Each reads all
        counts again.
    seed
        Of the shuffles.

    Returns
    -------
    xarray.Dataset
        (neuron,) in bits: ``mutual_information``, corrected; ``bias``, what was subtracted. A
        neuron that always answers alike has none. Corrected values of neurons that tell nothing
        scatter around 0 and may be below it. The scalar ``class_entropy`` is the most there can be.
        With shuffles also ``shuffled_mean`` and ``shuffled_deviation`` (ddof 1; NaN for a single
        one) of the same measure. NaN where there is no example.

    Raises
    ------
    ResultError
        If the result has no labels, no such layer, or an argument is outside.

    References
    ----------
    Miller (1955), Note on the bias of information estimates, in: Information Theory in
    Psychology; Panzeri & Treves (1996), Network 7, 87-107, doi:10.1080/0954898X.1996.11978656.
    """

    def responses() -> Responses:
        return count_blocks(tree, layer)

    return _measured(
        tree, layer, responses, steps(tree) + 1,
        correction=correction, shuffles=shuffles, seed=seed,
    )  # fmt: skip


def latency_information(
    tree: xr.DataTree,
    layer: str,
    *,
    bin_ms: float | None = None,
    correction: Correction = "miller_madow",
    shuffles: int = 0,
    seed: int = 0,
) -> xr.Dataset:
    """Return the mutual information of the time of each neuron's first spike and the class.

    That a neuron does not spike is a response of its own.

    Parameters
    ----------
    bin_ms
        In bins of which width times are told apart, from the start of the presentation; by default
        in steps. Fewer responses are estimated with less bias.
    correction, shuffles, seed
        As of `count_information`.

    Returns
    -------
    xarray.Dataset
        As of `count_information`.

    Raises
    ------
    ResultError
        If the result has no labels, no such layer, or an argument is outside.
    """
    width = 1 if bin_ms is None else whole_steps(tree, "bin_ms", bin_ms)
    bins = -(-steps(tree) // width)

    def responses() -> Responses:
        return _first_spikes(tree, layer, width, bins)

    return _measured(
        tree, layer, responses, bins + 1,
        correction=correction, shuffles=shuffles, seed=seed,
    )  # fmt: skip


def _first_spikes(tree: xr.DataTree, layer: str, width: int, never: int) -> Responses:
    """Read the bin of the first spike of each neuron in each example."""
    for block in blocks(tree, layer):
        rows = max(1, _ENTRIES // max(1, block.neurons))
        for start in range(0, block.examples, rows):
            stop = min(start + rows, block.examples)
            chosen = slice(*np.searchsorted(block.position, (start, stop)))
            first = np.full((stop - start, block.neurons), never)
            # Backwards, so that of several spikes the first is written last.
            place = block.position[chosen][::-1] - start, block.neuron[chosen][::-1]
            first[place] = block.step[chosen][::-1] // width
            yield block.start + start, first


def _measured(
    tree: xr.DataTree,
    layer: str,
    responses: Callable[[], Responses],
    different: int,
    *,
    correction: Correction,
    shuffles: int,
    seed: int,
) -> xr.Dataset:
    if correction not in {"miller_madow", "none"}:
        raise ResultError(
            "there is no such correction", expected="miller_madow or none", found=repr(correction)
        )
    if shuffles < 0:
        raise ResultError(
            "shuffles must not be negative", expected="0 or more", found=str(shuffles)
        )
    data = layer_data(tree, layer)
    _, index = classes(tree)
    shape = (data.sizes["neuron"], different)

    def corrected(labels: NDArray[np.int64]) -> Information:
        found = information(response_table(responses(), labels, *shape))
        bias = found.bias if correction == "miller_madow" else np.zeros(shape[0])
        return Information(found.plug_in - bias, bias)

    found = corrected(index)
    columns = {
        "mutual_information": (found.plug_in, "mutual information with the class"),
        "bias": (found.bias, "bias that was subtracted"),
    }
    if shuffles:
        rng = np.random.default_rng(seed)
        each = np.array([corrected(rng.permutation(index)).plug_in for _ in range(shuffles)])
        deviation = each.std(0, ddof=1) if shuffles > 1 else np.full(shape[0], np.nan)
        columns["shuffled_mean"] = (each.mean(0), "mean information of shuffled classes")
        columns["shuffled_deviation"] = (deviation, "standard deviation of the same")
    arrays = {
        name: described(along(data, values, "neuron"), name, text, "bit")
        for name, (values, text) in columns.items()
    }
    total = ((), entropy(index), {"long_name": "entropy of the classes", "units": "bit"})
    return xr.Dataset({**arrays, "class_entropy": total})
