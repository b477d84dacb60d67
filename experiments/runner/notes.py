"""The notes of an experiment, whose numbers are filled in from the rows of its page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.runner.criteria import Estimate, values_of, welch_p

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["filled"]

_SPREAD = "±"
_EXTREMES = {"min ": np.min, "max ": np.max}


def filled(notes: str, rows: xr.Dataset) -> str:
    """Return notes with their fields filled in.

    A field names a condition, a column, and a format of Python: ``{dense[error]:.2f}`` is the mean
    over the seeds. Before the format may be ``±``: mean ± standard deviation, the mean alone of one
    seed; ``min`` or ``max``: the smallest or the largest of the seeds. ``{dense[error]:n}`` is
    their number, and ``{dense[error]:p sparse}`` the p of Welch's t-test between two conditions. A
    field without a number is a dash.

    Parameters
    ----------
    notes
        The text. Other braces are doubled.
    rows
        The table of rows.

    Raises
    ------
    KeyError
        If there is no such condition or column.
    """
    return notes.format_map(_Conditions(rows))


@dataclass(frozen=True)
class _Conditions:
    rows: xr.Dataset

    def __getitem__(self, condition: str) -> _Columns:
        if condition not in self.rows["condition"]:
            raise KeyError(condition)
        return _Columns(self.rows, condition)


@dataclass(frozen=True)
class _Columns:
    rows: xr.Dataset
    condition: str

    def __getitem__(self, column: str) -> _Field:
        return _Field(self.rows, self.condition, column)

    def __format__(self, form: str) -> str:
        raise KeyError(f"{self.condition}[COLUMN]")


@dataclass(frozen=True)
class _Field:
    rows: xr.Dataset
    condition: str
    column: str

    def __format__(self, form: str) -> str:
        values = values_of(self.rows, self.column, self.condition)
        if form == "n":
            return str(len(values))
        if form.startswith("p "):
            test = welch_p(self.column, self.condition, form[2:])
            return _text(test.estimate(self.rows).value, ".1g")
        if form[:4] in _EXTREMES:
            extreme = _EXTREMES[form[:4]](values) if len(values) else math.nan
            return _text(float(extreme), form[4:])
        estimate = Estimate.of(values)
        value = _text(estimate.value, form.removeprefix(_SPREAD))
        if not form.startswith(_SPREAD) or math.isnan(estimate.sd):
            return value
        return f"{value} {_SPREAD} {_text(estimate.sd, form.removeprefix(_SPREAD))}"


def _text(value: float, form: str) -> str:
    text = format(value, form).replace("%", " %")  # a faulty format is an error without rows, too
    return "–" if math.isnan(value) else text
