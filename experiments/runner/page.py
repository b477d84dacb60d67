"""The page and the figures of an experiment, made from stored rows and its notes.

In the notes a field names a condition, a column, and a format of Python: ``{dense[error]:.2f}`` is
the mean over the seeds. Before the format may be ``±``: mean ± standard deviation, the mean alone
of one seed; ``min`` or ``max``: the smallest or the largest of the seeds. ``{dense[error]:n}`` is
their number, and ``{dense[error]:p sparse}`` the p of Welch's t-test between two conditions. A
field without a number is a dash. Other braces are doubled. The paragraph before the first section
says what was found; the index of experiments has it too.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bioae.files import write_text
from bioae.showing import markdown_table
from experiments.runner.criteria import Estimate, Kind, Rows, values_of, welch_p
from experiments.runner.experiment import Experiment, Plan
from experiments.runner.rows import Document, Row, table_of, write_json
from experiments.runner.verdict import Verdict, judge, measured

#: The folder of figures, next to the page.
FIGURES = "figures"

#: The most conditions of an experiment whose tables are not folded.
MOST_ROWS = 20

#: The headings of the numbers of criteria that are met, by kind.
MET: Mapping[Kind, str] = {
    "claim": "our marks", "control": "controls", "agreement": "agreement of Brian2 and PyTorch",
}  # fmt: skip

#: The section of the notes with a reason for each criterion that is missed, next to the criteria.
MISSES = "## What misses, and why"

_FIELD = re.compile(r"(?<!\{)\{([\w.-]+)\[([\w.-]+)\]:([^{}]+)\}(?!\})")


def plan_of(experiment: Experiment, document: Document) -> Plan:
    """Return the plan of stored rows."""
    return Plan(experiment, document.quick, document.seeds)


def page_of(experiment: Experiment, document: Document) -> str:
    """Return the page of an experiment in Markdown."""
    plan = plan_of(experiment, document)
    table = table_of(plan, document.rows)
    verdict = judge(plan, document)
    # What notes say is said of the full form.
    found, sections = ("", []) if plan.small else _notes(experiment, table)
    reasons = [each for each in sections if each.startswith(MISSES)]
    others = {name: verdict.met(kind) for kind, name in MET.items() if kind != "claim"}
    met = "".join(f" {name[0].upper()}{name[1:]}: {each}." for name, each in others.items() if each)
    parts = [
        f"# {experiment.title}",
        *([found] if found else []),
        f"**Source's claim: {verdict.source}.** {experiment.source_says}".strip(),
        f"**Our marks: {verdict.marks}.**{met}" + (" These are rows of the quick form, which is a "
        "test of the program and shows nothing." if plan.small else ""),
        f"Our claim: {experiment.claim} Source: {experiment.source}.",
        _criteria(verdict),
        *reasons,
        "## Conditions",
        *_conditions(plan, table),
        "## Results",
        "Mean ± standard deviation over seeds.",
        *_tables(plan, table),
        *(f"![{caption}]({FIGURES}/{name})" + f"\n\n*{caption}*"
          for name, caption in _captions(experiment).items()),
        *(each for each in sections if each not in reasons),
    ]  # fmt: skip
    return "\n\n".join([*parts, "## Run", _run(plan, document)]) + "\n"


def finding_of(experiment: Experiment, document: Document) -> str:
    """Return what was found, with the first figure; the experiment's page is in the folder."""
    plan = plan_of(experiment, document)
    found, _ = _notes(experiment, table_of(plan, document.rows))
    lead = f"**[{experiment.title}]({experiment.name}.md).**"
    figures = [f"![{caption}]({FIGURES}/{name})" for name, caption in _captions(experiment).items()]
    return "\n\n".join([f"{lead} {found}".rstrip(), *figures[:1]])


def figure_mark(plan: Plan, document: Document) -> str:
    """Return a comment with the hash of the numbers from which a figure is drawn."""
    text = repr([(*row.key, row.numbers) for row in document.rows] + plan.keys())
    return f"<!-- drawn from rows with SHA-256 {hashlib.sha256(text.encode()).hexdigest()} -->"


def draw_figures(experiment: Experiment, document: Document, folder: Path) -> None:
    """Draw the figures into a folder, as SVG that ends with the comment of `figure_mark`."""
    from bioae.analysis.plots import to_svg
    from bioae.analysis.plots.style import styled

    plan = plan_of(experiment, document)
    table = table_of(plan, document.rows)
    for name, draw in zip(_captions(experiment), experiment.figures.values(), strict=True):
        svg = to_svg(styled(draw)(table), decimals=2)  # finer than any screen
        write_text(folder / name, f"{svg}{figure_mark(plan, document)}\n", overwrite=True)


def export(experiment: Experiment, document: Document, folder: Path) -> None:
    """Write rows as JSON and CSV, and the page with its figures."""
    names = list(experiment.columns)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["condition", "seed", *names])
    for row in document.rows:  # undefined and missing numbers are empty
        writer.writerow([row.condition, row.seed, *(row.numbers.get(name) for name in names)])
    write_json(folder / f"{experiment.name}.json", document)
    write_text(folder / f"{experiment.name}.csv", text.getvalue(), overwrite=True)
    write_text(folder / f"{experiment.name}.md", page_of(experiment, document), overwrite=True)
    draw_figures(experiment, document, folder / FIGURES)


def _notes(experiment: Experiment, table: Rows) -> tuple[str, list[str]]:
    """Return what was found, and the sections of the notes, filled in."""
    notes = filled(experiment.notes.strip(), experiment, table)
    found, *sections = re.split(r"(?:^|\n\n)(?=## )", notes)
    return found, sections


def _captions(experiment: Experiment) -> dict[str, str]:
    return {
        f"{experiment.name}-{name}.svg": (inspect.getdoc(draw) or name).partition("\n")[0]
        for name, draw in experiment.figures.items()
    }


def _criteria(verdict: Verdict) -> str:
    rows = [
        [
            each.criterion.kind + (", both verdicts" if each.criterion.source else ""),
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


def _conditions(plan: Plan, table: Rows) -> Iterator[str]:
    """Yield the table of the conditions, and the names of those without a row."""
    rows = [
        [
            f"`{name}`",
            each.text,
            _of(len(table[name]), len(plan.seeds_of(name)))
            + (f", from {each.first_seed}" if each.first_seed else ""),
        ]
        for name, each in plan.conditions.items()
        if table[name]
    ]
    conditions = markdown_table(["condition", "what differs", "seeds"], rows)
    yield conditions if len(plan.conditions) <= MOST_ROWS else _folded("All conditions", conditions)
    missing = [f"`{name}`" for name, finished in table.items() if not finished]
    if missing:
        yield f"No rows yet: {', '.join(missing)}."


def _of(number: int, planned: int) -> str:
    return str(number) if number == planned else f"{number} of {planned}"


def _tables(plan: Plan, table: Rows) -> Iterator[str]:
    """Yield the tables of results, under their headings if there are several."""
    groups = plan.experiment.groups or {"": tuple(plan.conditions)}
    shown = next(iter(groups.values())) if len(plan.conditions) > MOST_ROWS else plan.conditions
    for heading, members in groups.items():
        if names := [name for name in members if table.get(name)]:
            yield from ([f"### {heading}"] if heading else [])
            results = _results(plan, table, names)
            yield (
                results
                if names[0] in shown
                else _folded(f"Results: {len(names)} conditions", results)
            )


def _folded(summary: str, table: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{table}\n\n</details>"


def _results(plan: Plan, table: Rows, names: Sequence[str]) -> str:
    """Return a table of the columns in rows and the conditions in columns, or transposed.

    Columns of which no condition has a number are left out.
    """
    cells = []
    for name, column in plan.experiment.columns.items():
        numbers = [_cell(table, name, condition) for condition in names]
        if column.shown and any(numbers):
            text = f"{column.text} ({column.unit})" if column.unit else column.text
            cells.append([text, *numbers])
    head = ["", *(f"`{name}`" for name in names)]
    if len(names) > 4:
        head, *cells = [list(row) for row in zip(head, *cells, strict=True)]
    return markdown_table(head, cells)


def _cell(table: Rows, column: str, condition: str) -> str:
    values = values_of(table, column, condition)
    if np.isnan(values).all():
        return ""
    return measured(Estimate.of(values)).partition(" (n")[0]


def _run(plan: Plan, document: Document) -> str:
    wanted = {*plan.keys()}
    rows = [row for row in document.rows if row.key in wanted]
    sizes = ", ".join(f"{name} {value}" for name, value in document.sizes.items())
    option = " --quick" if document.quick else ""
    option += f" --seeds {document.seeds}" if document.seeds else ""
    number = _of(len(rows), len(wanted))
    seconds = sum(row.provenance.get("seconds", 0.0) for row in rows)
    lines = [
        f"- Command: `python -m experiments {plan.experiment.name}{option}`, {number} rows.",
        f"- Sizes: {sizes}. Brian2's target: {document.target}.",
        f"- Time: {seconds / 60:,.0f} minutes on a shared machine, without interrupted work.",
    ]
    for label, key in (("Versions", "versions"), ("Commit", "commit"), ("Machine", "machine")):
        origins = _where((_plain(row.provenance.get(key)) or "not known", row) for row in rows)
        several = [f"{text} ({where})" for text, where in origins.items()]
        lines.append(f"- {label}: {'; '.join(several) if len(several) > 1 else ''.join(origins)}.")
        if not rows:
            lines[-1] = f"- {label}: not known."
    later = _where(
        (f"`{column}` {how}", row)
        for row in rows
        for column, how in row.provenance.get("later", {}).items()
    )
    return "\n".join([*lines, *(f"- Later: {text} ({where})." for text, where in later.items())])


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


def filled(notes: str, experiment: Experiment, rows: Rows) -> str:
    """Return notes with their fields filled in, see above."""

    def text(field: re.Match[str]) -> str:
        condition, column, form = field.groups()
        experiment.conditions[condition], experiment.columns[column]
        values = values_of(rows, column, condition)
        estimate = Estimate.of(values)
        if form == "n":
            return str(len(values))
        if form.startswith("p "):
            return _number(welch_p(column, condition, form[2:]).estimate(rows).value, ".1g")
        if form[:4] in ("min ", "max "):
            extreme = np.min if form[:3] == "min" else np.max
            return _number(float(extreme(values)) if len(values) else math.nan, form[4:])
        value = _number(estimate.value, form.removeprefix("±"))
        if not form.startswith("±") or math.isnan(estimate.sd):
            return value
        return f"{value} ± {_number(estimate.sd, form.removeprefix('±'))}"

    return _FIELD.sub(text, notes).replace("{{", "{").replace("}}", "}")


def _number(value: float, form: str) -> str:
    text = format(value, form).replace("%", " %")  # a faulty format is an error without rows, too
    return "–" if math.isnan(value) else text
