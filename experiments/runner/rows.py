"""Rows of an experiment as plain data: one, all of a run, and the form that they belong to."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from bioae.errors import InputError, ResultError, describe, shortened
from bioae.fields import Table
from bioae.files import write_text
from experiments.runner.criteria import Rows
from experiments.runner.experiment import Key, Plan

T = TypeVar("T", bound=Table)


class Row(Table):
    """A finished row: its numbers, None where one is undefined (not finite), and its provenance.

    The provenance are versions, commit, machine, and ``seconds`` of the process that finished it;
    in ``later``, by column, how numbers were measured or converted that were not then.
    """

    condition: str
    seed: int = Field(ge=0)
    numbers: dict[str, int | float | None]
    provenance: dict[str, Any]

    @property
    def key(self) -> Key:
        """The condition and the seed."""
        return self.condition, self.seed


class Identity(Table):
    """The form of an experiment as a run began: everything that rows depend on, and the criteria.

    `criteria` are those that were stated before their rows, `conditions` are the settings of each,
    and `recipe` is the hash of the recipe, if there is one.
    """

    format: int = 1
    experiment: str
    quick: bool
    sizes: dict[str, Any]
    target: str
    conditions: dict[str, Any] = Field(default_factory=dict)
    recipe: str | None = None
    criteria: tuple[str, ...] = Field(strict=False)


class Document(Identity):
    """All rows of a run with their identity, from which its page is made."""

    seeds: int | None = None
    rows: tuple[Row, ...] = Field(strict=False)


def identity_of(plan: Plan, target: str) -> Identity:
    """Return the identity of a run that starts now."""
    settings = {name: dict(each.settings) for name, each in plan.conditions.items()}
    plain = json.loads(json.dumps({"sizes": dict(plan.sizes), "conditions": settings}))
    return Identity(
        experiment=plan.experiment.name, quick=plan.small, target=target,
        recipe=plan.experiment.recipe, criteria=tuple(map(str, plan.criteria)), **plain,
    )  # fmt: skip


def row_of(
    plan: Plan, key: Key, numbers: Mapping[str, float], provenance: Mapping[str, Any]
) -> Row:
    """Return a finished row; raise ValueError if there are no numbers, or one has no column."""
    columns = plan.experiment.columns
    if not numbers or numbers.keys() - columns.keys():
        found = ", ".join(sorted(numbers.keys() - columns.keys())) or "nothing"
        raise ValueError(f"{key[0]}: expected numbers of the declared columns, found {found}")
    plain = {name: _plain(numbers[name]) for name in columns if name in numbers}
    return Row(condition=key[0], seed=key[1], numbers=plain, provenance=dict(provenance))


def _plain(number: float) -> int | float | None:
    if isinstance(number, bool | np.bool_ | int | np.integer):
        return int(number)
    return float(number) if math.isfinite(number) else None


def table_of(plan: Plan, rows: Iterable[Row]) -> Rows:
    """Return the numbers of the rows that a plan asks for."""
    wanted = set(plan.keys())
    table: dict[str, dict[int, dict[str, float]]] = {name: {} for name in plan.conditions}
    for row in rows:
        if row.key in wanted:
            table[row.condition][row.seed] = {
                name: math.nan if value is None else value for name, value in row.numbers.items()
            }
    return table


def write_json(path: Path, model: Table) -> None:
    """Write a document as JSON, atomically."""
    text = json.dumps(model.model_dump(mode="json"), indent=1, allow_nan=False)
    write_text(path, f"{text}\n", overwrite=True)


def read_json(kind: type[T], path: Path, error: type[InputError] = ResultError) -> T:
    """Read a document of some kind; raise an error of the class if that fails."""
    try:
        return kind.model_validate(json.loads(path.read_bytes()))
    except ValidationError as reason:
        raise error(**describe(reason, kind), where=str(path)) from reason
    except (OSError, ValueError) as reason:
        raise error("the file cannot be read", where=str(path), found=str(reason)) from reason


def check_rows(document: Document, plan: Plan, identity: Identity, where: Path) -> None:
    """Raise ResultError if rows of another run cannot be taken over.

    They must be of the same experiment, form, sizes, target and settings; settings of conditions
    without rows may differ.
    """
    times = Counter(row.key for row in document.rows)
    columns = plan.experiment.columns.keys()
    for row in document.rows:
        fits = {
            "a known condition": row.condition in identity.conditions,
            "a condition with settings": row.condition in document.conditions,
            "numbers of known columns": row.numbers and row.numbers.keys() <= columns,
            "each row once": times[row.key] == 1,
        }
        if missing := next((expected for expected, holds in fits.items() if not holds), None):
            text = f"condition {row.condition!r}, seed {row.seed}: {', '.join(row.numbers)}"
            found = shortened(text)
            raise ResultError("a row does not fit", where=str(where), expected=missing, found=found)
    conditions = {row.condition: document.conditions[row.condition] for row in document.rows}
    document = document.model_copy(update={"conditions": conditions})
    check_same(identity, document, where, ResultError)


def check_same(expected: Identity, found: Identity, where: Path, error: type[InputError]) -> None:
    """Raise if rows are of another run; criteria may differ, and conditions may be added."""
    common = expected.conditions.keys() & found.conditions.keys()
    for name in ("format", "experiment", "quick", "sizes", "target", "conditions", "recipe"):
        before, now = getattr(expected, name), getattr(found, name)
        if name == "conditions" and common:
            before, now = ({key: each[key] for key in common} for each in (before, now))
        if before != now:
            key, before, now = _difference(name, before, now)
            raise error(
                f"the rows are of another run: {key} differs",
                where=str(where),
                expected=shortened(str(before)),
                found=shortened(str(now)),
                hint="Use the options and the definition of its start, or choose another folder",
            )


def _difference(key: str, before: object, now: object) -> tuple[str, object, object]:
    """Return the first key below which two values differ, and what they have there."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in (*before, *now):
            if before.get(name) != now.get(name):
                return _difference(f"{key}.{name}", before.get(name), now.get(name))
    return key, before, now
