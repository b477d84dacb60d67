"""Rows of an experiment: as a table, as one JSON document, as CSV and as netCDF."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import Field, ValidationError, field_validator

from bioae.checks import instance, number
from bioae.documents import parse_json
from bioae.errors import InputError, ResultError, describe
from bioae.fields import Table
from bioae.files import atomic_output, write_text
from bioae.inputs import check_input, read_input
from experiments.runner.experiment import FINISHED, MEASURED, Experiment, Key, Plan

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "FORMAT", "Document", "Identity", "Row", "identity_of", "read_document", "row_of", "table_of",
    "to_csv", "validated", "write_json", "write_netcdf",
]  # fmt: skip

#: The version of the stored form of rows.
FORMAT = 1

_LARGEST = 2**28

T = TypeVar("T", bound=Table)


class Row(Table):
    """A finished row.

    Attributes
    ----------
    condition, seed
        Its place in the table.
    numbers
        Its columns; None where a number is undefined: not finite.
    provenance
        Versions, commit, machine, and ``seconds`` of the process that finished it; in ``later``, by
        column, how numbers were measured or converted that were not then.
    """

    condition: str
    seed: int = Field(ge=0)
    numbers: dict[str, int | float | None]
    provenance: dict[str, Any]

    @field_validator("provenance")
    @classmethod
    def _timed(cls, provenance: dict[str, Any]) -> dict[str, Any]:
        number(provenance.get("seconds", 0.0), "seconds", least=0.0, error=ResultError)
        later = provenance.get("later", {})
        instance(later, "later", dict, error=ResultError)
        for column, how in later.items():
            instance(how, f"later, {column}", str, error=ResultError)
        return provenance

    @property
    def key(self) -> Key:
        """The condition and the seed."""
        return self.condition, self.seed


class Identity(Table):
    """The form of an experiment that rows belong to, as the run began.

    Attributes
    ----------
    format
        The version of the stored form.
    experiment, quick, sizes, target
        The experiment, its form and the Brian2 target.
    conditions
        The settings of each condition.
    recipe
        The hash of the experiment's recipe, None if it has none. With these it is all that rows
        depend on, besides the sources.
    criteria
        The criteria with their thresholds.
    """

    format: int = FORMAT
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
    return Identity(
        experiment=plan.experiment.name,
        quick=plan.small,
        sizes=_plain_data(plan.sizes),
        target=target,
        conditions={name: _plain_data(each.settings) for name, each in plan.conditions.items()},
        recipe=plan.experiment.recipe,
        criteria=tuple(map(str, plan.criteria)),
    )


def row_of(
    experiment: Experiment, key: Key, numbers: Mapping[str, float], provenance: Mapping[str, Any]
) -> Row:
    """Return a finished row; numbers that are not finite become undefined.

    Raises
    ------
    ValueError
        If a number has no column, or there are none.
    """
    unknown = sorted(set(numbers) - set(experiment.columns))
    if unknown or not numbers:
        found = f"the column {unknown[0]!r} is not declared" if unknown else "there are no numbers"
        raise ValueError(f"experiment {experiment.name}, condition {key[0]}: {found}")
    plain = {name: _plain(numbers[name]) for name in experiment.columns if name in numbers}
    return Row(condition=key[0], seed=key[1], numbers=plain, provenance=dict(provenance))


def table_of(plan: Plan, rows: Iterable[Row]) -> xr.Dataset:
    """Return the rows that a plan asks for as a table along condition and seed.

    Numbers that are missing or undefined are NaN; ``finished`` says which rows exist, and
    ``measured`` which numbers they have, also undefined ones.
    """
    import xarray as xr

    names = list(plan.conditions)
    seeds = range(max(len(plan.seeds_of(name)) for name in names))
    wanted = set(plan.keys())
    shape = (len(names), len(seeds))
    columns = {name: np.full(shape, np.nan) for name in plan.experiment.columns}
    finished = np.zeros(shape, bool)
    measured = np.zeros((len(columns), *shape), bool)
    for row in rows:
        if row.key in wanted:
            place = names.index(row.condition), row.seed
            finished[place] = True
            for index, name in enumerate(columns):
                if name in row.numbers:
                    value = row.numbers[name]
                    columns[name][place] = np.nan if value is None else value
                    measured[index, *place] = True
    dims = ("condition", "seed")
    described = {name: _attributes(plan.experiment, name) for name in columns}
    return xr.Dataset(
        {name: (dims, values, described[name]) for name, values in columns.items()}
        | {FINISHED: (dims, finished), MEASURED: (("column", *dims), measured)},
        coords={"condition": names, "seed": list(seeds), "column": list(columns)},
    )


def to_csv(experiment: Experiment, rows: Sequence[Row]) -> str:
    """Return rows as CSV; undefined and missing numbers are empty."""
    names = list(experiment.columns)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["condition", "seed", *names])
    for row in rows:
        writer.writerow([row.condition, row.seed, *(row.numbers.get(name) for name in names)])
    return text.getvalue()


def write_netcdf(table: xr.Dataset, experiment: Experiment, path: Path) -> None:
    """Write a table of rows as netCDF, with the claim; equal tables give equal bytes."""
    flags = {name: table[name].astype(np.int8) for name in (FINISHED, MEASURED)}
    described = table.assign(flags).assign_attrs(
        experiment=experiment.name, title=experiment.title, claim=experiment.claim
    )
    content = bytes(described.to_netcdf(engine="h5netcdf"))
    with atomic_output(path, overwrite=True) as temporary:
        # On a full disk the HDF5 library would crash the process.
        temporary.write_bytes(content)


def write_json(path: Path, model: Table) -> None:
    """Write a document as JSON, atomically."""
    text = json.dumps(model.model_dump(mode="json"), indent=1, allow_nan=False)
    write_text(path, f"{text}\n", overwrite=True)


def read_document(path: Path) -> Document:
    """Read stored rows.

    Raises
    ------
    ResultError
        If it cannot be read, or is something else.
    """
    return validated(Document, check_input(path, ResultError, "rows"), ResultError)


def validated(kind: type[T], path: Path, error: type[InputError]) -> T:
    """Read a document of some kind.

    Raises
    ------
    InputError
        Of the given class, if it cannot be read or does not fit.
    """
    try:
        content = read_input(path, _LARGEST)
        values = parse_json(content, where=str(path), error=error, largest=_LARGEST)
        return kind.model_validate(values)
    except OSError as reason:
        raise error("the file cannot be read", where=str(path), found=str(reason)) from reason
    except ValidationError as reason:
        raise error(**describe(reason, kind), where=str(path)) from reason


def _plain_data(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain data as a document holds it, with lists in place of tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(mapping)))
    return plain


def _plain(number: float) -> int | float | None:
    if isinstance(number, (bool, np.bool_, int, np.integer)):
        return int(number)
    value = float(number)
    return value if math.isfinite(value) else None


def _attributes(experiment: Experiment, name: str) -> dict[str, str]:
    column = experiment.columns[name]
    return {"long_name": column.text, "units": column.unit or "1"}
