"""What has been measured in cortex, and whether a network's number can be laid beside it.

The numbers stand in ``reference.toml``, each with its source, and with whether it was read there
or is from memory. Laying a simulation beside them takes care: a step is a time only if the neuron
has time constants in seconds, variability over repeats of one stimulus is not that over different
images, and a presentation may be shorter than the window in which the animal's spikes were counted.
A `verdict` says which of those stands in the way.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bioae.analysis.comparability import Context
from bioae.analysis.layers import duration_s, layer_data
from bioae.analysis.tables import Table, as_table, format_value
from bioae.errors import ResultError
from bioae.validation import describe

__all__ = [
    "Reference",
    "Verdict",
    "cortical_values",
    "load_references",
    "references",
    "verdict",
    "verdict_table",
    "verdicts",
]

Outcome = Literal["within", "below", "above", "not comparable"]

_FILE = Path(__file__).resolve().with_name("reference.toml")


class Reference(BaseModel):
    """A range that was measured in cortex, and under which conditions.

    Equal ends are a single reported number; a missing end is open.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    statistic: str = Field(min_length=1, description="what was measured, a name of ours")
    low: float | None = Field(None, description="the lower end; none: there is none")
    high: float | None = Field(None, description="the upper end; none: there is none")
    unit: str = Field(min_length=1, description="the unit of both, 1 where they have none")
    summary: str = Field(min_length=1, description="what the numbers summarise")
    authors: str = Field(min_length=1)
    year: int = Field(ge=1900, le=2100)
    journal: str = Field(min_length=1)
    doi: str = Field(pattern=r"^10\.\d{4,9}/\S+$")
    animal: str = Field(min_length=1)
    area: str = Field(min_length=1)
    state: str = Field(min_length=1, description="awake, anaesthetised, …")
    conditions: str = Field(min_length=1, description="stimulus and counting window")
    seconds: bool = Field(False, description="it has no meaning where steps are not times")
    intervals: bool = Field(False, description="it is a statistic of the intervals between spikes")
    repeats: bool = Field(False, description="it was measured over repeats of one stimulus")
    window_s: float | None = Field(None, gt=0, description="the shortest counting window")
    verified: bool = Field(description="the numbers were read in what `checked` names")
    checked: str = Field(min_length=1, description="where, or what of them could be read")
    note: str = Field("", description="what else a reader must know")

    @model_validator(mode="after")
    def _ordered(self) -> Reference:
        low, high = self.low, self.high
        if low is None and high is None:
            raise ValueError("a range needs an end")
        if low is not None and high is not None and low > high:
            raise ValueError(f"the lower end {low} lies above the upper end {high}")
        return self

    @property
    def citation(self) -> str:
        """Authors, year and DOI."""
        return f"{self.authors} ({self.year}), doi:{self.doi}"

    @property
    def range(self) -> str:
        """The range as people read it, with its unit."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.low is None or self.high is None:
            end, word = (self.high, "up to") if self.low is None else (self.low, "from")
            return f"{word} {end:g}{unit}"
        ends = [self.low] if self.low == self.high else [self.low, self.high]
        return " to ".join(f"{end:g}" for end in ends) + unit


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    entry: tuple[Reference, ...] = Field(min_length=1)


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


@cache
def references() -> tuple[Reference, ...]:
    """Return the measured ranges that bioae ships."""
    return load_references(_FILE)


def load_references(path: Path | str) -> tuple[Reference, ...]:
    """Read measured ranges from a TOML file of the form of ``reference.toml``.

    Raises
    ------
    ResultError
        If the file cannot be read, or an entry has wrong or missing keys.
    """
    where = str(path)
    try:
        fields = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ResultError(f"the references cannot be read: {error}", where=where) from error
    try:
        return _File.model_validate(fields).entry
    except ValidationError as error:
        raise ResultError(**describe(error), where=where) from error


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


def verdicts(
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
        for name, array in values.data_vars.items()
        if name != "firing_rate"
    }
    if "firing_rate" in values:
        found["mean_rate"] = float(values["firing_rate"].mean())
        found["median_rate"] = float(values["firing_rate"].median())
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
