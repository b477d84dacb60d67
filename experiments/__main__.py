"""``python -m experiments``: test a claim over conditions and seeds, with its controls."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App

from bioae.cli.app import new_app
from bioae.cli.main import main as run_command
from bioae.cli.options import Several, check_effect, whole
from bioae.cli.tables import print_wrapped
from bioae.errors import ResultError
from bioae.inputs import as_path
from bioae.simulation.backend import Backend, Target
from experiments.runner.experiment import Plan, available, load
from experiments.runner.rows import Document, check_rows, identity_of, read_json
from experiments.runner.store import IDENTITY, Store, check_folder, opened
from experiments.runner.verdict import judge


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its words are those of this process by default."""
    return run_command(arguments, _make_app)


def _make_app() -> App:
    app = new_app("python -m experiments", "Test a claim over conditions and seeds.")
    app.default(experiment)
    return app


def experiment(
    name: str,
    /,
    *,
    quick: bool = False,
    seeds: Annotated[int, whole(1, 10_000)] | None = None,
    condition: Several = (),
    target: Target | None = None,
    out: Path | None = None,
    rows: Path | None = None,
    resume: bool = False,
    status: bool = False,
    overwrite: bool = False,
) -> int:
    """Test a claim over conditions and seeds, with its controls.

    Trains, simulates and measures a network for each condition and seed, and writes each row as
    soon as it is finished. Then compares the rows with thresholds that were set beforehand, and
    writes rows (JSON, CSV), figures and a page.

    Parameters
    ----------
    name
        The experiment, or the word list: all experiments.
    quick
        Run the quick form: small networks, other thresholds. It tests the program, not the claim.
    seeds
        The number of seeds per condition; that of the experiment by default.
    condition
        Run rows of these conditions only. The verdicts still need the others.
    target
        The Brian2 target; cpp_standalone by default, numpy in the quick form.
    out
        The folder of the run; bioae-experiments/NAME by default, or bioae-experiments/NAME-quick.
    rows
        The file NAME.json of another run of this form: its rows are taken over, not run again.
    resume
        Continue an interrupted run, if there is one, or share the work of one that is going on.
    status
        Show which rows exist, and the verdicts on them. Runs and writes nothing.
    overwrite
        Replace the rows in the folder.

    Returns
    -------
    int
        The exit status: 0 all criteria are met, 1 one of them is not, a network is silent or rows
        are missing, 130 interrupted.
    """
    options = {"condition": condition, "rows": rows, "resume": resume, "overwrite": overwrite}
    if name == "list":
        more = {"quick": quick, "seeds": seeds, "target": target, "out": out, "status": status}
        check_effect("list runs nothing", **options, **more)
        return _list()
    if status:
        check_effect("--status runs nothing, and shows all conditions", **options)
    if resume:
        check_effect("--resume keeps the rows in the folder", overwrite=overwrite)
    plan = Plan(load(name), quick, seeds)
    keys = plan.keys(condition)
    folder = out or Path("bioae-experiments") / (f"{name}-quick" if quick else name)
    identity = identity_of(plan, target or ("numpy" if quick else Backend().target))
    if status:
        store = Store.reading(folder, identity)
        document = store.document(plan)
        _print_status(plan, store, document)
        return _print_verdict(plan, document)
    known = None
    if rows is not None:
        known = read_json(Document, as_path(rows, ResultError, "rows"))
        check_rows(known, plan, identity, rows)
    check_folder(folder, identity, resume=resume, overwrite=overwrite)
    try:
        from bioae.extras import need_torch
        from bioae.simulation.targets.activation import check_target
        from experiments.runner.page import export
        from experiments.runner.trial import run_rows

        need_torch("python -m experiments")
        check_target(identity.target)
        store = opened(folder, plan, identity, resume=resume)
        store = store if known is None else store.take(known, plan)
        run_rows(plan, store, keys)
        document = store.document(plan)
        export(plan.experiment, document, folder)
    except KeyboardInterrupt:
        if not (folder / IDENTITY).exists():
            raise
        line = "bioae: interrupted; continue with the same command and --resume"
        print(line, file=sys.stderr)
        return 130
    return _print_verdict(plan, document, folder / f"{name}.md")


def _list() -> int:
    plans = [Plan(load(name)) for name in available()]
    width = max(len(plan.experiment.name) for plan in plans) + 2
    for plan in plans:
        rows = f"({len(plan.conditions)} conditions, {len(plan.keys())} rows)"
        start = f"{plan.experiment.name:{width}}"
        print_wrapped(f"{plan.experiment.title} {rows}", start=start, indent=width)
        print_wrapped(plan.experiment.claim, start=" " * width, indent=width)
    return 0


def _print_status(plan: Plan, store: Store, document: Document) -> None:
    for line in store.unreadable(plan.keys()):
        print(line, file=sys.stderr)
    finished = {row.key for row in document.rows}
    for name in plan.conditions:
        seeds = plan.seeds_of(name)
        missing = ", ".join(str(seed) for seed in seeds if (name, seed) not in finished)
        count = sum((name, seed) in finished for seed in seeds)
        text = f"{count} of {len(seeds)} rows" + (f"; missing seeds: {missing}" if missing else "")
        print_wrapped(text, start=f"{name}: ", indent=2)


def _print_verdict(plan: Plan, document: Document, page: Path | None = None) -> int:
    """Print both verdicts, and where the page is if one was written; return the exit status."""
    verdict = judge(plan, document)
    for line in verdict.lines():
        print_wrapped(line, indent=2)
    if plan.small:
        text = "This is the quick form: it tests the program, and shows nothing about the claim."
        print_wrapped(text)
    if page is not None:
        print(f"Page: {page}")
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
