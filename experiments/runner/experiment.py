"""Description of an experiment: conditions, columns, sizes, criteria and figures."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import chain
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

import experiments
from bioae.errors import InputError, did_you_mean
from bioae.inputs import read_toml
from experiments.runner.criteria import Criterion, Rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The column by which a silent network is recognised: the spikes of its quietest layer.
SPIKES = "spikes"

#: A row: its condition and its seed.
Key = tuple[str, int]

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Condition:
    """A condition of an experiment: what differs, in words and as plain data (``trial.settings``).

    It has the experiment's number of seeds unless `seeds` is set, from `first_seed` on: fresh ones
    for a condition that was chosen by trials with others. The quick form has it if `quick`;
    criteria that need another one are left out there. Silence is no failure if `may_be_silent`:
    there is no spiking network, or it is expected to die.
    """

    text: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | None = None
    quick: bool = True
    may_be_silent: bool = False
    first_seed: int = 0


@dataclass(frozen=True)
class Column:
    """A named number of each row: its description and unit, and whether to put it on the page."""

    text: str
    unit: str = ""
    shown: bool = True


@dataclass(frozen=True)
class Experiment:
    """A claim, and the rows that show whether it holds.

    `source_says` is what the authors of the source say, nothing if the claim is ours; `source_part`
    is the part of it that is tested, if it is not all.
    `run` computes a row: it takes a `Trial` and returns numbers by the names of columns, not
    necessarily all; ``spikes`` is required unless all conditions may be silent. `sizes` and `quick`
    are the sizes of both forms. `figures` are functions of the rows, and their captions the first
    lines of their docstrings. `groups` are the conditions of each table of results, by its heading.
    `load` fills in the name of the file, the hash of the tables in NAME.toml, and the text of
    NAME.md with fields for numbers of the rows (see `page`).

    Raises `ValueError` if the parts do not fit each other.
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
    source_says: str = ""
    source_part: str = ""
    seeds: int = 5
    figures: Mapping[str, Callable[[Rows], Figure]] = field(default_factory=dict)
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
        if any(each.source for each in self.criteria) and not self.source_says:
            raise ValueError("criteria state what authors say, and `source_says` is empty")
        if self.groups and sorted(chain(*self.groups.values())) != sorted(self.conditions):
            raise ValueError("the groups do not have each condition once")
        statistics = [each.statistic for each in self.criteria]
        silent = all(each.may_be_silent for each in self.conditions.values())
        columns = {each.column for each in statistics} | ({SPIKES} if not silent else set())
        conditions = {name for each in statistics for name in each.conditions}
        if unknown := (columns - set(self.columns)) | (conditions - set(self.conditions)):
            raise ValueError(f"the criteria need {min(unknown)!r}, which is none")


@dataclass(frozen=True)
class Plan:
    """The rows of the full or the `small` form, with `seeds` per condition if it is not None."""

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
        chosen = self.experiment.conditions[condition]
        planned = 1 if self.small else chosen.seeds or self.experiment.seeds
        return range(chosen.first_seed, chosen.first_seed + (self.seeds or planned))

    def keys(self, conditions: tuple[str, ...] = ()) -> list[Key]:
        """Return the rows of some conditions, by default all: every condition, seed by seed.

        Raises `InputError` if the form has no such condition.
        """
        for name in conditions:
            if name not in self.conditions:
                raise InputError(
                    f"the experiment {self.experiment.name!r} has no condition {name!r}",
                    where="--condition",
                    expected=f"one of {', '.join(self.conditions)}",
                )
        names = [name for name in self.conditions if name in (conditions or self.conditions)]
        keys = [(name, seed) for name in names for seed in self.seeds_of(name)]
        return sorted(keys, key=lambda key: key[1])


def available() -> list[str]:
    """Return the names of all experiments: the files of the folder."""
    modules = iter_modules(experiments.__path__)
    return sorted(each.name for each in modules if not each.ispkg and each.name != "__main__")


def load(name: str) -> Experiment:
    """Import an experiment.

    Raises `InputError` if there is none of this name.
    """
    names = available()
    if name not in names:
        raise InputError(
            f"there is no experiment {name!r}",
            expected=f"list, or one of {', '.join(names)}",
            hint=did_you_mean(name, names, shown=str),
        )
    module = import_module(f"experiments.{name}")
    file, recipe = Path(str(module.__file__)), None
    if (path := file.with_suffix(".toml")).is_file():
        tables = read_toml(path, "recipe", error=InputError)
        text = json.dumps(tables, sort_keys=True, default=str)
        recipe = hashlib.sha256(text.encode()).hexdigest()
    notes = file.with_suffix(".md")
    text = notes.read_text(encoding="utf-8") if notes.is_file() else ""
    experiment: Experiment = module.EXPERIMENT
    return replace(experiment, name=name, recipe=recipe, notes=text)
