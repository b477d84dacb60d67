"""Comparison of a network with ranges that were measured in cortex.

Three things can prevent a comparison. A step is a time only if the neuron has time constants in
seconds; variability over repeats of one stimulus is not variability over different images; and a
presentation may be shorter than the window in which the animal's spikes were counted. `context_of`
reads these from a result. A `verdict` names the obstacle, and says if the range is not verified.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from bioae.analysis.measures.reference import Reference, references
from bioae.analysis.results.arrays import count_blocks, ratio
from bioae.analysis.results.layers import duration_s, of_result, steps
from bioae.analysis.results.outputs import images_of, is_recording
from bioae.analysis.results.repeats import stimulus_index

Outcome = Literal["within", "below", "above", "not comparable"]

# Brian2's names of times and frequencies, with their prefixes.
_TIME = re.compile(
    r"\b(?:[munpf]?second|[munpf]s|minute|hour|day|[munkMG]?[hH]ertz|[mukMG]?Hz)s?\b"
)
_MODEL = re.compile(r"^(?=description\s*=)", re.MULTILINE)


#: Statistics of the responses to different stimuli.
_OVER_STIMULI = ("lifetime_sparseness",)


@dataclass(frozen=True)
class Context:
    """Properties of a result that decide whether its numbers are comparable with an animal's.

    Parameters
    ----------
    seconds
        Whether steps are times, because every neuron model has a constant with a unit of time.
    timing
        Why they are or are not.
    presentation_s
        The length of a presentation in seconds, if they are.
    steps
        The length of a presentation in steps.
    repeated
        Whether variability is the network's: there are repeats, or all examples show the same
        image.
    averaged
        Whether responses are means over repeats of each stimulus.
    """

    seconds: bool
    timing: str
    presentation_s: float
    steps: int
    repeated: bool
    averaged: bool = False


@dataclass(frozen=True)
class Verdict:
    """Comparison of a network's value with a range measured in cortex.

    Parameters
    ----------
    value
        The network's value.
    reference
        The measured range.
    outcome
        Within, below or above the range, or not comparable.
    reason
        Why they are not comparable, or caveats; may be empty.
    """

    value: float
    reference: Reference
    outcome: Outcome
    reason: str

    def row(self) -> dict[str, Any]:
        """Return the verdict as a row of a table: the statistic, the two numbers, the source."""
        reference = self.reference
        return {
            "statistic": reference.statistic, "value": float(self.value), "low": reference.low,
            "high": reference.high, "units": reference.unit, "verdict": self.outcome,
            "reason": self.reason, "animal": reference.animal, "area": reference.area,
            "state": reference.state, "source": reference.citation, "verified": reference.verified,
        }  # fmt: skip


@of_result
def context_of(tree: xr.DataTree) -> Context:
    """Return the properties of a result that decide whether it is comparable with an animal's."""
    averaged = stimulus_index(tree) is not None
    if is_recording(tree):  # unlabelled trials are repeats of one condition
        same = tree.sizes["example"] > 1 and "label" not in tree.variables
        seconds, timing = True, "spikes are recorded in time"
    else:
        seconds, timing = has_time_constants(str(tree.attrs.get("neuron_model", "")))
        images = images_of(tree, "input")
        same = images.sizes["example"] > 1 and bool((images == images.isel(example=0)).all())
    return Context(seconds, timing, duration_s(tree), steps(tree), averaged or same, averaged)


def has_time_constants(neuron_model: str) -> tuple[bool, str]:
    """Return whether every neuron model has a constant with a unit of time, and the reason.

    A model without one, such as an integrate-and-fire neuron without a leak, computes the same
    whatever the length of a step. Bounds of training and initial values do not count.

    `neuron_model`: the text of the result's attribute: one TOML document, or several in sequence.
    """
    models = [text for text in _MODEL.split(neuron_model) if text.strip()]
    without = [name for name, text in map(_named_dynamics, models) if not _TIME.search(text)]
    if not models or without:
        which = f"the neuron model ({without[0]})" if without and without[0] else "the neuron model"
        return False, f"{which} has no time constant in seconds"
    return True, "the neuron model has a time constant in seconds"


def verdict(value: float, reference: Reference, context: Context) -> Verdict:
    """Compare a network's value with a measured range: within, below, above or not comparable.

    A single reported number is met within half a unit of its second digit.

    Parameters
    ----------
    value
        The number, in the unit of the reference.
    context
        The properties of the result that decide whether the two are comparable.
    """
    obstacle = _obstacle(value, reference, context)
    if obstacle:
        return Verdict(value, reference, "not comparable", obstacle)
    notes = [] if reference.verified else [f"the range is not verified, but {reference.checked}"]
    if reference.low is None or reference.high is None:
        notes.append(
            f"the source has {'a lower' if reference.high is None else 'an upper'} end only"
        )
    if reference.intervals:
        notes.append(
            f"trains are short: no interval is longer than the {context.steps:,} steps of an "
            "example, which makes them look more regular"
        )
    if reference.averaged and not context.averaged:
        notes.append(
            "responses are counts in single examples, whose chance differences make them look "
            "sparser than means over repeats"
        )
    return Verdict(value, reference, _outcome(value, reference), "; ".join(notes))


def layer_verdicts(
    values: Mapping[str, Mapping[str, float]], context: Context
) -> dict[str, list[Verdict]]:
    """Compare the statistics of each layer with every measured range.

    Parameters
    ----------
    values
        By layer, the statistics by name; those without a reference are skipped.
    """
    return {
        layer: [
            verdict(numbers[reference.statistic], reference, context)
            for reference in references()
            if reference.statistic in numbers
        ]
        for layer, numbers in values.items()
    }


def cortical_values(tree: xr.DataTree, layer: str, values: xr.Dataset) -> dict[str, float]:
    """Return the numbers of a layer that have reference values, by the names of the references.

    `values`: statistics of each neuron, (neuron,), by the names of the functions that computed
        them. Means are over the neurons that have a defined value.
    """
    numbers = {
        str(name): float(array.mean())
        for name, array in values.compute().data_vars.items()
        if name != "firing_rate"
    }
    if "firing_rate" in values:
        numbers["mean_rate"] = float(values["firing_rate"].mean())
        numbers["median_rate"] = float(np.median(values["firing_rate"].to_numpy()))
    limit, fast, counted = 20 * duration_s(tree), 0, 0
    for _, counts in count_blocks(tree, layer):
        fast, counted = fast + int((counts > limit).sum()), counted + counts.size
    return numbers | {"fraction_above_20_hz": float(ratio(fast, counted))}


def _named_dynamics(model: str) -> tuple[str, str]:
    """Return a model's description, and the text that sets its time scale."""
    try:
        fields: dict[str, Any] = tomllib.loads(model)
    except tomllib.TOMLDecodeError:
        return "", model
    # The unit of an equation follows its last colon: volt/second there is no time constant.
    equations = [line.rpartition(":")[0] for line in str(fields.get("equations", "")).splitlines()]
    parameters = fields.get("parameters", {})
    texts = [*equations, *map(str, parameters.values()), str(fields.get("refractory", ""))]
    return str(fields.get("description", "")).rstrip("."), "\n".join(texts)


def _obstacle(value: float, reference: Reference, context: Context) -> str:
    """Return the obstacle to a comparison, empty if there is none."""
    window = reference.window_s
    if not math.isfinite(value):
        return "it is undefined here"
    if (reference.seconds or window) and not context.seconds:
        return f"steps are not seconds: {context.timing}"
    if window and context.presentation_s < window:
        return (
            f"an example lasts {context.presentation_s * 1000:g} ms, and the animal's spikes "
            f"were counted over {window * 1000:g} ms or more"
        )
    if reference.statistic in _OVER_STIMULI and context.repeated and not context.averaged:
        return "it was measured over different stimuli, and here all examples are of one stimulus"
    if reference.repeats and not context.repeated:
        return "it was measured over repeats of one stimulus, and here the inputs differ"
    return ""


def _outcome(value: float, reference: Reference) -> Outcome:
    low, high = reference.low, reference.high
    if low is not None and low == high:
        digit = 10 ** (math.floor(math.log10(abs(low))) - 1) if low else 0.0
        low, high = (value, value) if abs(value - low) <= digit / 2 else (low, high)
    if low is not None and value < low:
        return "below"
    return "above" if high is not None and value > high else "within"
