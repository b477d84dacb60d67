"""Run the missing rows of an experiment, and write what is made of all rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bioae.files import write_text
from bioae.provenance import provenance
from bioae.simulation.backend import known_target
from experiments.runner.experiment import Key, Plan
from experiments.runner.page import FIGURES, draw_figures, page_of
from experiments.runner.rows import (
    Document,
    Row,
    row_of,
    table_of,
    to_csv,
    write_json,
    write_netcdf,
)
from experiments.runner.store import Store
from experiments.runner.trial import Means, Trial

__all__ = ["document_of", "export", "run_rows"]


def run_rows(plan: Plan, store: Store, keys: Sequence[Key], means: Means) -> None:
    """Run the rows that do not exist, and store each when it is finished.

    Rows on which other processes work come last: they exist by then, or the process was killed.

    Parameters
    ----------
    plan
        The form of the experiment.
    store
        The rows.
    keys
        The rows to run, in order.
    means
        What trials are carried out with.
    """
    provenance()  # once per process: of the code that runs, not of what is there at the end
    for line in store.unreadable(plan.keys()):
        means.report(line)
    for wait in (False, True):
        for place, key in enumerate(keys, start=1):
            if store.has(key):
                continue
            name = f"{key[0]}, seed {key[1]} (row {place} of {len(keys)})"
            if wait:
                means.report(f"{name}: waiting for another process")
            with store.claimed(key, wait=wait) as mine:
                if mine and not store.has(key):
                    means.report(name)
                    store.add(_run(plan, store, key, means))
    store.tidy(plan.keys())


def document_of(plan: Plan, store: Store) -> Document:
    """Return all rows of a plan that exist, with their identity."""
    identity = dict(store.identity)
    return Document(**identity, seeds=plan.seeds, rows=tuple(store.rows(plan.keys())))


def export(plan: Plan, document: Document, folder: Path) -> None:
    """Write rows as JSON, CSV and netCDF, and the page with its figures."""
    experiment = plan.experiment
    name = experiment.name
    write_json(folder / f"{name}.json", document)
    texts = {
        f"{name}.csv": to_csv(experiment, document.rows),
        f"{name}.md": page_of(experiment, document),
    }
    for file, text in texts.items():
        write_text(folder / file, text, overwrite=True)
    write_netcdf(table_of(plan, document.rows), experiment, folder / f"{name}.nc")
    draw_figures(experiment, document, folder / FIGURES)


def _run(plan: Plan, store: Store, key: Key, means: Means) -> Row:
    condition, seed = key
    folder = store.trial(key)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with ExitStack() as results:
        trial = Trial(
            condition=condition,
            settings=plan.conditions[condition].settings,
            seed=seed,
            sizes=plan.sizes,
            folder=folder,
            shared=store.shared(seed),
            target=known_target(store.identity.target),
            means=means,
            results=results,
        )
        numbers = plan.experiment.run(trial)
    seconds = round(time.monotonic() - started, 1)
    return row_of(plan.experiment, key, numbers, {**provenance(), "seconds": seconds})
