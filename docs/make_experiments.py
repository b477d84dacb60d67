"""Make the pages of experiments from their stored rows, and the table of their verdicts.

python docs/make_experiments.py [RUN/NAME.json ...]

The rows of the runs that are named are stored first, in docs/results/experiments.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import marked

from bioae.experiments.runner.page import FIGURES, draw_figures, page_of, plan_of
from bioae.experiments.runner.registry import load
from bioae.experiments.runner.rows import Document, read_document, write_json
from bioae.experiments.runner.verdict import judge

DOCS = Path(__file__).parent
PAGES = DOCS / "experiments"
ROWS = DOCS / "results" / "experiments"


def main(*runs: str) -> None:
    """Store the rows of runs, and write all pages and figures again."""
    for run in runs:
        document = read_document(Path(run))
        if document.quick:
            raise SystemExit(f"{run}: rows of the quick form are not published")
        write_json(ROWS / f"{document.experiment}.json", document)
    pages = {path: filled(path.read_text(encoding="utf-8")) for path in [PAGES / "index.md"]}
    for document in documents():
        experiment = load(document.experiment)
        pages[PAGES / f"{experiment.name}.md"] = page_of(experiment, document)
        draw_figures(experiment, document, PAGES / FIGURES)
    for path, text in pages.items():
        marked.write(path, text)


def documents() -> Iterator[Document]:
    """Yield the stored rows of each experiment."""
    return map(read_document, sorted(ROWS.glob("*.json")))


def filled(page: str) -> str:
    """Return the index with its table made again."""
    return marked.filled(page, lambda _: table())


def table() -> str:
    """Return the table of published experiments with their verdicts."""
    rows = []
    for document in documents():
        experiment = load(document.experiment)
        verdict = judge(plan_of(experiment, document), document)
        page = f"[{experiment.name}]({experiment.name}.md)"
        rows.append((page, experiment.claim, str(len(document.rows)), verdict.outcome))
    return marked.table(("experiment", "claim", "rows", "verdict"), rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
