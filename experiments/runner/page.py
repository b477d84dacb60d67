"""The page and the figures of an experiment, made from stored rows and its notes."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bioae.files import write_text
from bioae.showing import markdown_table
from experiments.runner.criteria import Estimate, values_of
from experiments.runner.experiment import Experiment, Plan
from experiments.runner.notes import filled
from experiments.runner.rows import Document, Row, table_of
from experiments.runner.verdict import Verdict, judge, measured

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "FIGURES",
    "draw_figures",
    "figure_mark",
    "figure_names",
    "page_of",
    "plan_of",
    "used_rows",
]

#: The folder of figures, next to the page.
FIGURES = "figures"


def plan_of(experiment: Experiment, document: Document) -> Plan:
    """Return the plan of stored rows."""
    return Plan(experiment, document.quick, document.seeds)


def used_rows(plan: Plan, document: Document) -> list[Row]:
    """Return the rows that a plan asks for, of those that are stored."""
    wanted = set(plan.keys())
    return [row for row in document.rows if row.key in wanted]


def page_of(experiment: Experiment, document: Document) -> str:
    """Return the page of an experiment in Markdown."""
    plan = plan_of(experiment, document)
    table = table_of(plan, document.rows)
    verdict = judge(plan, document)
    parts = [
        f"# {experiment.title}",
        f"Claim: {experiment.claim} Source: {experiment.source}.",
        f"**Verdict: {verdict.outcome}.**" + (" These are rows of the quick form, which is a test "
        "of the program and shows nothing." if plan.small else ""),
        _criteria(verdict),
        "## Conditions",
        *_conditions(plan, table),
        "## Results",
        "Mean ± standard deviation over seeds.",
        *_tables(plan, table),
        *(f"![{caption}]({FIGURES}/{name})" + f"\n\n*{caption}*"
          for name, caption in _captions(experiment).items()),
        # What they say is said of the full form.
        *([filled(experiment.notes.strip(), table)] if experiment.notes and not plan.small else []),
        "## Run",
        _run(experiment, document),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def figure_names(experiment: Experiment) -> list[str]:
    """Return the names of the files of figures."""
    return list(_captions(experiment))


def figure_mark(plan: Plan, document: Document) -> str:
    """Return a comment with the hash of the numbers from which a figure is drawn."""
    text = repr([(*row.key, row.numbers) for row in document.rows] + plan.keys())
    return f"<!-- drawn from rows with SHA-256 {hashlib.sha256(text.encode()).hexdigest()} -->"


def draw_figures(experiment: Experiment, document: Document, folder: Path) -> None:
    """Draw the figures into a folder, as SVG that ends with the comment of `figure_mark`."""
    from bioae.analysis.plots import to_svg

    plan = plan_of(experiment, document)
    table = table_of(plan, document.rows)
    for name, draw in zip(figure_names(experiment), experiment.figures.values(), strict=True):
        svg = to_svg(draw(table), decimals=2)  # finer than any screen
        write_text(folder / name, f"{svg}{figure_mark(plan, document)}\n", overwrite=True)


def _captions(experiment: Experiment) -> dict[str, str]:
    return {
        f"{experiment.name}-{name}.svg": (inspect.getdoc(draw) or name).partition("\n")[0]
        for name, draw in experiment.figures.items()
    }


def _conditions(plan: Plan, table: xr.Dataset) -> Iterator[str]:
    """Yield the table of the conditions, and the names of those without a row."""
    finished = {name: int(table["finished"].sel(condition=name).sum()) for name in plan.conditions}
    rows = [
        [f"`{name}`", each.text, _of(finished[name], len(plan.seeds_of(name)))]
        for name, each in plan.conditions.items()
        if finished[name]
    ]
    yield markdown_table(["condition", "what differs", "seeds"], rows)
    missing = [f"`{name}`" for name, number in finished.items() if not number]
    if missing:
        yield f"No rows yet: {', '.join(missing)}."


def _of(number: int, planned: int) -> str:
    return str(number) if number == planned else f"{number} of {planned}"


def _criteria(verdict: Verdict) -> str:
    rows = [
        [
            each.criterion.kind,
            f"{each.criterion.text} ({each.criterion.statistic.text})",
            measured(each.estimate),
            each.criterion.required.replace("<=", "≤").replace(">=", "≥"),
            each.outcome + each.remark,
        ]
        for each in verdict.judgements
    ]
    silent = [
        f"- The network of `{name}`, seed {seed}, is silent." for name, seed in verdict.silent
    ]
    head = ["", "quantity", "measured", "threshold", "outcome"]
    return "\n".join([markdown_table(head, rows), *([""] if silent else []), *silent])


def _tables(plan: Plan, table: xr.Dataset) -> Iterator[str]:
    """Yield the tables of results, under their headings if there are several."""
    groups = plan.experiment.groups or {"": tuple(plan.conditions)}
    for heading, members in groups.items():
        names = [name for name in members if name in plan.conditions]
        if table["finished"].sel(condition=names).any():
            yield from ([f"### {heading}"] if heading else [])
            yield _results(plan, table, names)


def _results(plan: Plan, table: xr.Dataset, names: Sequence[str]) -> str:
    """Return a table of the columns in rows and the conditions in columns, or transposed.

    Conditions without a row, and columns of which no condition has a number, are left out.
    """
    names = [name for name in names if table["finished"].sel(condition=name).any()]
    columns = plan.experiment.columns.items()
    cells = [
        [_text(column.text, column.unit), *(_cell(table, name, condition) for condition in names)]
        for name, column in columns
        if column.shown
    ]
    cells = [row for row in cells if any(row[1:])]
    head = ["", *(f"`{name}`" for name in names)]
    if len(names) > 4:
        head, *cells = [list(row) for row in zip(head, *cells, strict=True)]
    return markdown_table(head, cells)


def _text(text: str, unit: str) -> str:
    return f"{text} ({unit})" if unit else text


def _cell(table: xr.Dataset, column: str, condition: str) -> str:
    values = values_of(table, column, condition)
    if not len(values) or np.isnan(values).all():
        return ""
    return measured(Estimate.of(values)).partition(" (n")[0]


def _run(experiment: Experiment, document: Document) -> str:
    plan = plan_of(experiment, document)
    rows = used_rows(plan, document)
    sizes = ", ".join(f"{name} {value}" for name, value in document.sizes.items())
    option = " --quick" if document.quick else ""
    option += f" --seeds {document.seeds}" if document.seeds else ""
    number = _of(len(rows), len(plan.keys()))
    seconds = sum(row.provenance.get("seconds", 0.0) for row in rows)
    lines = [
        f"- Command: `python -m experiments {experiment.name}{option}`, {number} rows.",
        f"- Sizes: {sizes}. Brian2's target: {document.target}.",
        f"- Time: {seconds / 60:,.0f} minutes on a shared machine, without interrupted work.",
    ]
    for label, key in (("Versions", "versions"), ("Commit", "commit"), ("Machine", "machine")):
        lines.append(f"- {label}: {_origins(rows, key)}.")
    later = _where(
        (f"`{column}` {how}", row)
        for row in rows
        for column, how in row.provenance.get("later", {}).items()
    )
    lines += [f"- Later: {text} ({where})." for text, where in later.items()]
    return "\n".join(lines)


def _origins(rows: Iterable[Row], key: str) -> str:
    """Return what the provenance of rows has of a key; which rows, if they differ in it."""
    origins = _where((_plain(row.provenance.get(key)) or "not known", row) for row in rows)
    if len(origins) < 2:
        return next(iter(origins), "not known")
    return "; ".join(f"{text} ({where})" for text, where in origins.items())


def _where(pairs: Iterable[tuple[str, Row]]) -> dict[str, str]:
    """Return texts about rows, each with the conditions and seeds of which it is said."""
    found: dict[str, dict[str, list[str]]] = {}
    for text, row in pairs:
        found.setdefault(text, {}).setdefault(row.condition, []).append(str(row.seed))
    return {
        text: ", ".join(f"`{name}` {' '.join(seeds)}" for name, seeds in conditions.items())
        for text, conditions in found.items()
    }


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return "" if value is None else str(value)
