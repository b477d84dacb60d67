"""How often each response comes with each class, and the information in such a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Information", "Responses", "entropy", "information", "response_table"]

# The position of a block's first example, and the responses (example, neuron) of the block.
Responses = Iterator[tuple[int, NDArray[np.int64]]]

# Numbers in a block of the table of all responses to all classes.
_CELLS = 2**20


class Information(NamedTuple):
    """In bits, (neuron,): as estimated, and what is too much of it."""

    plug_in: NDArray[np.float64]
    bias: NDArray[np.float64]


def response_table(
    responses: Responses, index: NDArray[np.int64], neurons: int, different: int
) -> NDArray[np.int32]:
    """Count how often each neuron gave each response to each class, (neuron, class, response)."""
    number = int(index.max(initial=-1)) + 1
    table = np.zeros((neurons, number, different), np.int32)
    cells = max(number * different, 1)
    width = max(1, _CELLS // cells)
    for start, response in responses:
        of_class = index[start : start + len(response), None] * different
        for left in range(0, neurons, width):
            own = response[:, left : left + width]
            place = own + of_class + np.arange(own.shape[1]) * cells
            count = np.bincount(place.ravel(), minlength=own.shape[1] * cells)
            table[left : left + width] += count.reshape(-1, number, different).astype(np.int32)
    return table


def information(table: NDArray[np.int32]) -> Information:
    """Estimate the information of response and class in a table (neuron, class, response)."""
    neurons, number, different = table.shape
    plug_in, bias = np.full((2, neurons), np.nan)
    examples = int(table[:1].sum())
    # n ln(n), looked up.
    n = np.arange(examples + 1, dtype=np.float64)
    terms = n * np.log(np.maximum(n, 1))
    width = max(1, _CELLS // max(number * different, 1))
    for left in range(0, neurons if examples else 0, width):
        joint = table[left : left + width]
        response, of_class = joint.sum(1), joint[0].sum(1)
        sums = terms[joint].sum((1, 2)) - terms[response].sum(1) - terms[of_class].sum()
        seen = [np.count_nonzero(part, axis=-1) for part in (joint, response)]
        excess = seen[0].sum(1) - seen[1] - np.count_nonzero(of_class) + 1
        plug_in[left : left + width] = (terms[-1] + sums) / examples
        bias[left : left + width] = excess / (2 * examples)
    return Information(plug_in / np.log(2), bias / np.log(2))


def entropy(index: NDArray[np.int64]) -> float:
    """Return the entropy of the classes of examples (example,) in bits; NaN without any."""
    if not index.size:
        return float("nan")
    share = np.bincount(index) / index.size
    return float(-(share * np.log2(share)).sum())
