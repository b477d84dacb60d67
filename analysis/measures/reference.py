"""Reference values from cortex, each with its source and the extent of its verification.

The values are in ``reference.toml``; `bioae.analysis.measures.verdicts` compares a network with
them.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, Strict, model_validator

from bioae.fields import Table

_FILE = Path(__file__).resolve().with_name("reference.toml")


class Reference(Table):
    """A range measured in cortex, and the conditions of the recording.

    Equal ends are a single reported number; a missing end is open.
    """

    statistic: str = Field(min_length=1, description="the statistic, by its name here")
    low: float | None = Field(None, description="the lower end; none if open")
    high: float | None = Field(None, description="the upper end; none if open")
    unit: str = Field(min_length=1, description="the unit of both, 1 if none")
    summary: str = Field(min_length=1, description="the summary, such as a mean over neurons")
    authors: str = Field(min_length=1)
    year: int = Field(ge=1900, le=2100)
    journal: str = Field(min_length=1)
    doi: str = Field(pattern=r"^10\.\d{4,9}/\S+$")
    animal: str = Field(min_length=1)
    area: str = Field(min_length=1)
    state: str = Field(min_length=1, description="awake, anaesthetised, …")
    conditions: str = Field(min_length=1, description="stimulus and counting window")
    seconds: bool = Field(False, description="it needs steps that are times")
    intervals: bool = Field(False, description="it is a statistic of the intervals between spikes")
    repeats: bool = Field(False, description="it was measured over repeats of one stimulus")
    averaged: bool = Field(False, description="responses were means over repeats of each stimulus")
    window_s: float | None = Field(None, gt=0, description="the shortest counting window")
    verified: bool = Field(description="the numbers were read in `checked`")
    checked: str = Field(min_length=1, description="the text that was read, and its numbers")
    note: str = Field("", description="further remarks")

    @model_validator(mode="after")
    def _ordered(self) -> Reference:
        low, high = self.low, self.high
        if low is None and high is None:
            raise ValueError("a range needs an end")
        if low is not None and high is not None and low > high:
            raise ValueError(f"the lower end {low} is above the upper end {high}")
        return self

    @property
    def citation(self) -> str:
        """Authors, year and DOI."""
        return f"{self.authors} ({self.year}), doi:{self.doi}"

    @property
    def range(self) -> str:
        """The range as text, with its unit."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        if self.low is None or self.high is None:
            end, word = (self.high, "up to") if self.low is None else (self.low, "from")
            return f"{word} {end:g}{unit}"
        ends = [self.low] if self.low == self.high else [self.low, self.high]
        return " to ".join(f"{end:g}" for end in ends) + unit


class _File(Table):
    entry: Annotated[tuple[Reference, ...], Strict(False), Field(min_length=1)]


@cache
def references() -> tuple[Reference, ...]:
    """Return the measured ranges that bioae ships."""
    return _File.model_validate(tomllib.loads(_FILE.read_text(encoding="utf-8"))).entry
