"""Description of an experiment: conditions, columns, sizes, criteria and figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from bioae.errors import InputError
from experiments.runner.criteria import Criterion

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["FINISHED", "MEASURED", "SPIKES", "Column", "Condition", "Experiment", "Key", "Plan"]

#: The column by which a silent network is recognised: the spikes of its quietest layer.
SPIKES = "spikes"

#: The mask of the rows that exist, in the table of rows.
FINISHED = "finished"
#: The variable of a table that says which numbers a row has.
MEASURED = "measured"

#: A row: its condition and its seed.
Key = tuple[str, int]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Condition:
    """A condition of an experiment.

    Attributes
    ----------
    text
        What differs from the other conditions.
    settings
        The same for the program: plain data that `Experiment.run` finds in ``trial.settings``.
    seeds
        The number of seeds, if it is not that of the experiment.
    quick
        Whether the quick form has it. Criteria that need another one are left out there.
    may_be_silent
        Whether silence is no failure: there is no spiking network, or it is expected to die.
    """

    text: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None
    quick: bool = True
    may_be_silent: bool = False


@dataclass(frozen=True)
class Column:
    """A named number of each row: its description and unit, and whether to put it on the page."""

    text: str
    unit: str = ""
    shown: bool = True


@dataclass(frozen=True)
class Experiment:
    """A claim, and the rows that show whether it holds.

    Attributes
    ----------
    title, source, claim
        The heading, the citation, and the claim in a sentence.
    conditions
        The conditions by name, in the order of tables and figures.
    columns
        The numbers of a row by name. A condition need not have all of them. ``spikes`` is required
        of every condition that may not be silent: the spikes of the network's quietest layer.
    run
        Computes a row: takes a `Trial` and returns numbers by the names of columns.
    sizes, quick
        The sizes of the full and of the quick form by name: plain data with the same names.
    criteria
        The claim and its controls.
    seeds, quick_seeds
        The number of seeds per condition of either form.
    figures
        Functions of the table of rows by the figures' names; a caption is the first line of the
        docstring.
    groups
        The conditions of each table of results, by the table's heading; one table by default.
    name
        The name of the file, filled in when the experiment is loaded.
    recipe
        The hash of the tables in the TOML file of the same name, filled in likewise; None if there
        is no such file.
    notes
        The Markdown file of the same name, for the page of the full form: methods, limits, what
        the rows show, with fields for their numbers (`experiments.runner.notes.filled`).
        Filled in likewise; empty if there is no such file.

    Raises
    ------
    ValueError
        If the parts do not fit each other.
    """

    title: str
    source: str
    claim: str
    conditions: Mapping[str, Condition]
    columns: Mapping[str, Column]
    run: Callable[[Any], Mapping[str, float]]
    sizes: Mapping[str, Any]
    quick: Mapping[str, Any]
    criteria: tuple[Criterion, ...]
    seeds: int = 5
    quick_seeds: int = 1
    figures: Mapping[str, Callable[[xr.Dataset], Figure]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name: str = ""
    recipe: str | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        for name in (*self.conditions, *self.columns, *self.figures):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name: lower-case letters, digits, '_', '.', '-'")
        if self.sizes.keys() != self.quick.keys():
            raise ValueError("the full and the quick form differ in the names of their sizes")
        if not {"claim", "control"} <= {each.kind for each in self.criteria}:
            raise ValueError("an experiment needs criteria of the claim and of a control")
        if taken := {FINISHED, MEASURED, "column"} & self.columns.keys():
            raise ValueError(f"the name {min(taken)!r} is taken")
        if self.groups and sorted(chain(*self.groups.values())) != sorted(self.conditions):
            raise ValueError("the groups do not have each condition once")
        silent = all(each.may_be_silent for each in self.conditions.values())
        if not silent and SPIKES not in self.columns:
            raise ValueError(f"the column {SPIKES!r} is missing")
        for criterion in self.criteria:
            unknown = set(criterion.statistic.conditions) - set(self.conditions)
            unknown |= {criterion.statistic.column} - set(self.columns)
            if unknown:
                raise ValueError(f"{criterion.text!r} needs {min(unknown)!r}, which is none")


@dataclass(frozen=True)
class Plan:
    """The rows that a form of an experiment asks for.

    Attributes
    ----------
    experiment
        The experiment.
    small
        Whether it is the quick form.
    seeds
        The number of seeds per condition; that of the experiment by default.
    """

    experiment: Experiment
    small: bool = False
    seeds: int | None = None

    @property
    def sizes(self) -> Mapping[str, Any]:
        """The sizes of the form."""
        return self.experiment.quick if self.small else self.experiment.sizes

    @property
    def conditions(self) -> dict[str, Condition]:
        """The conditions of the form."""
        conditions = self.experiment.conditions.items()
        return {name: each for name, each in conditions if each.quick or not self.small}

    @property
    def criteria(self) -> list[Criterion]:
        """The criteria whose conditions the form has, with its thresholds."""
        known = set(self.conditions)
        return [
            each.of_form(quick=self.small)
            for each in self.experiment.criteria
            if known.issuperset(each.statistic.conditions) and (each.in_quick or not self.small)
        ]

    def seeds_of(self, condition: str) -> range:
        """Return the seeds of a condition."""
        experiment = self.experiment
        usual = experiment.quick_seeds if self.small else experiment.seeds
        individual = None if self.small else experiment.conditions[condition].seeds
        return range(self.seeds or individual or usual)

    def keys(self, conditions: tuple[str, ...] = ()) -> list[Key]:
        """Return the rows of some conditions, by default all: every condition, seed by seed.

        Raises
        ------
        InputError
            If the form has no such condition.
        """
        for name in conditions:
            if name not in self.conditions:
                raise InputError(
                    f"the experiment {self.experiment.name!r} has no condition {name!r}",
                    where="--condition",
                    expected=f"one of {', '.join(self.conditions)}",
                )
        return sorted(self._keys(conditions or tuple(self.conditions)), key=lambda key: key[1])

    def _keys(self, conditions: tuple[str, ...]) -> Iterator[Key]:
        for name in self.conditions:
            if name in conditions:
                yield from ((name, seed) for seed in self.seeds_of(name))
