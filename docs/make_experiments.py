"""Make the pages of experiments from their stored rows, and the table of their verdicts.

python docs/make_experiments.py [RUN/NAME.json ...]

The rows of the runs that are named are stored first, in docs/results/experiments.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import marked

sys.path.insert(0, str(Path(__file__).parents[1]))  # experiments are not installed

from bioae.showing import markdown_table
from experiments.runner.experiment import load
from experiments.runner.page import FIGURES, MET, draw_figures, finding_of, page_of, plan_of
from experiments.runner.rows import Document, read_json, table_of, write_json
from experiments.runner.verdict import Verdict, judge

DOCS = Path(__file__).parent
PAGES = DOCS / "experiments"
ROWS = DOCS / "results" / "experiments"

#: The page with what was found, and the table of the verdicts.
INDEX = PAGES / "index.md"

_OUTCOME = ("source's claim", *MET.values())


def main(*runs: str) -> None:
    """Store the rows of runs, and write all pages and figures again."""
    for run in runs:
        document = read_json(Document, Path(run))
        if document.quick:
            raise SystemExit(f"{run}: rows of the quick form are not published")
        write_json(ROWS / f"{document.experiment}.json", document)
    pages = {INDEX: filled(INDEX.read_text(encoding="utf-8"))}
    for document in documents():
        experiment = load(document.experiment)
        pages[PAGES / f"{experiment.name}.md"] = page_of(experiment, document)
        draw_figures(experiment, document, PAGES / FIGURES)
    for path, text in pages.items():
        marked.write(path, text)


def documents() -> Iterator[Document]:
    """Yield the stored rows of each experiment."""
    return (read_json(Document, path) for path in sorted(ROWS.glob("*.json")))


def filled(page: str) -> str:
    """Return a page with its table of published experiments, and what they found, made again."""
    return marked.filled(page, lambda name: claims() if name == "experiments" else finding(name))


def finding(name: str) -> str:
    """Return what was found in a published experiment."""
    return finding_of(load(name), read_json(Document, ROWS / f"{name}.json"))


def claims() -> str:
    """Return the table of published experiments: claims and both verdicts."""
    rows = [
        (f"[{name}]({name}.md)", load(name).claim, str(rows), *_outcome(verdict))
        for name, rows, verdict in _judged()
    ]
    return markdown_table(("experiment", "our claim", "rows", *_OUTCOME), rows)


def _judged() -> Iterator[tuple[str, int, Verdict]]:
    """Yield the name, the number of rows and the verdict of each published experiment."""
    for document in documents():
        plan = plan_of(load(document.experiment), document)
        rows = sum(map(len, table_of(plan, document.rows).values()))
        yield document.experiment, rows, judge(plan, document)


def _outcome(verdict: Verdict) -> tuple[str, ...]:
    others = (verdict.met(kind) for kind in MET if kind != "claim")
    return verdict.source, verdict.marks, *others


if __name__ == "__main__":
    main(*sys.argv[1:])
