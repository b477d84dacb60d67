"""A network's numbers beside those of cortex, or why they cannot be laid there.

It takes care: a step is a time only if the neuron has time constants in seconds, variability over
repeats of one stimulus is not that over different images, and a presentation may be shorter than
the window in which the animal's spikes were counted. A `verdict` says which of those stands in the
way (`bioae.analysis.measures.comparability`), and whether the measured number itself is verified.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from bioae.analysis.measures.comparability import Context
from bioae.analysis.measures.reference import Reference, references
from bioae.analysis.measures.tables import Table, as_table, format_value
from bioae.analysis.results.layers import duration_s, layer_data

__all__ = ["Verdict", "cortical_values", "layer_verdicts", "verdict", "verdict_table"]

Outcome = Literal["within", "below", "above", "not comparable"]


@dataclass(frozen=True)
class Verdict:
    """A number of a network beside a range that was measured in cortex.

    Parameters
    ----------
    value
        The network's number.
    reference
        The measured range.
    outcome
        Where the number lies, or that it cannot be laid beside the range.
    reason
        Why, or what to keep in mind; empty where there is nothing to say.
    """

    value: float
    reference: Reference
    outcome: Outcome
    reason: str


def verdict(value: float, reference: Reference, context: Context) -> Verdict:
    """Say whether a network's number is within what was measured, below, above or incomparable.

    A single reported number is met within half a unit of its second digit.

    Parameters
    ----------
    value
        The number, in the unit of the reference.
    context
        What of the result decides whether the two can be compared.
    """
    obstacle = _obstacle(value, reference, context)
    if obstacle:
        return Verdict(value, reference, "not comparable", obstacle)
    notes = [] if reference.verified else [f"the range is not verified, but {reference.checked}"]
    if reference.intervals:
        notes.append(
            f"trains are short: no interval is longer than the {context.steps} steps of a "
            "presentation, which makes them look more regular"
        )
    return Verdict(value, reference, _outcome(value, reference), "; ".join(notes))


def layer_verdicts(
    values: Mapping[str, Mapping[str, float]],
    context: Context,
    known: Iterable[Reference] | None = None,
) -> dict[str, list[Verdict]]:
    """Lay the statistics of each layer beside every range that was measured for them.

    Parameters
    ----------
    values
        By layer, the statistics by name; those without a reference are passed over.
    known
        The ranges; by default those that bioae ships.
    """
    ranges = references() if known is None else tuple(known)
    return {
        layer: [
            verdict(numbers[reference.statistic], reference, context)
            for reference in ranges
            if reference.statistic in numbers
        ]
        for layer, numbers in values.items()
    }


def cortical_values(tree: xr.DataTree, layer: str, values: xr.Dataset) -> dict[str, float]:
    """Return the numbers of a layer that there are references for, by the names of those.

    Parameters
    ----------
    values
        Statistics of each neuron, (neuron,), by the names of the functions that computed them.
        Means are over the neurons where a statistic is defined.
    """
    found = {
        str(name): float(array.mean())
        for name, array in values.compute().data_vars.items()
        if name != "firing_rate"
    }
    if "firing_rate" in values:
        found["mean_rate"] = float(values["firing_rate"].mean())
        found["median_rate"] = float(np.median(values["firing_rate"].to_numpy()))
    fast = layer_data(tree, layer)["spike_count"] > 20 * duration_s(tree)
    return found | {"fraction_above_20_hz": float(fast.mean())}


def verdict_table(found: Mapping[str, Iterable[Verdict]]) -> Table:
    """Return verdicts, by layer, as a table."""
    return as_table(
        "Beside what was measured in cortex",
        [
            {
                "layer": layer,
                "statistic": each.reference.statistic.replace("_", " "),
                "network": format_value(float(each.value)),
                "cortex": each.reference.range,
                "verdict": each.outcome,
                "why": each.reason,
                "animal, area, state": f"{each.reference.animal}, {each.reference.area}, "
                f"{each.reference.state}",
                "source": each.reference.citation,
            }
            for layer, of_layer in found.items()
            for each in of_layer
        ],
    )


def _obstacle(value: float, reference: Reference, context: Context) -> str:
    """Return what stands in the way of a comparison, empty where nothing does."""
    window = reference.window_s
    if not math.isfinite(value):
        return "it is undefined here"
    if (reference.seconds or window) and not context.seconds:
        return f"steps are not seconds: {context.timing}"
    if window and context.presentation_s < window:
        return (
            f"a presentation lasts {context.presentation_s * 1000:g} ms, and the animal's spikes "
            f"were counted over {window * 1000:g} ms or more"
        )
    if reference.repeats and not context.repeated:
        return "it was measured over repeats of one stimulus, and here the images differ"
    return ""


def _outcome(value: float, reference: Reference) -> Outcome:
    low, high = reference.low, reference.high
    if low is not None and low == high:
        digit = 10 ** (math.floor(math.log10(abs(low))) - 1) if low else 0.0
        if abs(value - low) <= digit / 2:
            return "within"
        return "below" if value < low else "above"
    if low is not None and value < low:
        return "below"
    return "above" if high is not None and value > high else "within"
