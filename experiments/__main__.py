"""``python -m experiments``: test a claim over conditions and seeds, with its controls."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App

from bioae.cli.app import new_app
from bioae.cli.main import main as run_command
from bioae.cli.options import Several, check_effect, whole
from bioae.simulation.backend import Target

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from bioae.datasets import Data
    from bioae.learning import LearningResult
    from bioae.networks.network import Network
    from bioae.simulation.backend import Backend
    from bioae.trainers import TrainingResult
    from experiments.baselines import BaselineResult
    from experiments.runner.experiment import Key, Plan
    from experiments.runner.rows import Document, Identity
    from experiments.runner.store import Store

__all__ = ["experiment", "main"]

_LIST = "list"

#: The number of seeds.
Seeds = Annotated[int, whole(1, 10_000)]


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
    seeds: Seeds | None = None,
    condition: Several = (),
    target: Target | None = None,
    out: Path | None = None,
    rows: Path | None = None,
    resume: bool = False,
    status: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Test a claim over conditions and seeds, with its controls.

    Trains, simulates and measures a network for each condition and seed, and writes each row as
    soon as it is finished. Then compares the rows with thresholds that were set beforehand, and
    writes rows (JSON, CSV, netCDF), figures and a page.

    Parameters
    ----------
    name
        The experiment, or the word list: all experiments.
    quick
        Run the quick form: small networks, other thresholds. It tests the program, not the claim.
    seeds
        The number of seeds per condition; that of the experiment by default.
    condition
        Run rows of these conditions only. The verdict still needs the others.
    target
        The Brian2 target; cpp_standalone by default, numpy in the quick form.
    out
        The folder of the run; bioae-experiments/NAME by default, or bioae-experiments/NAME-quick.
    rows
        The file NAME.json of another run of this form: its rows are taken over, not run again.
    resume
        Continue an interrupted run, if there is one, or share the work of one that is going on.
    status
        Show which rows exist, and the verdict on them. Runs and writes nothing.
    overwrite
        Replace the rows in the folder.
    json
        Print the verdict as one JSON object.

    Returns
    -------
    int
        The exit status: 0 the claim and all controls hold, 1 one of them does not, a network is
        silent or rows are missing, 130 interrupted.
    """
    if name == _LIST:
        check_effect(
            "list runs nothing", quick=quick, seeds=seeds, condition=condition, target=target,
            out=out, rows=rows, resume=resume, status=status, overwrite=overwrite,
        )  # fmt: skip
        return _list(json=json)
    from bioae.extras import need_torch
    from bioae.simulation.backend import Backend
    from experiments.runner.experiment import Plan
    from experiments.runner.registry import load
    from experiments.runner.rows import identity_of, read_document
    from experiments.runner.store import Store, check_rows

    if resume:
        check_effect("--resume keeps the rows in the folder", overwrite=overwrite)
    if status:
        check_effect(
            "--status runs nothing, and shows all conditions",
            condition=condition, rows=rows, resume=resume, overwrite=overwrite,
        )  # fmt: skip
    plan = Plan(load(name), quick, seeds)
    keys = plan.keys(condition)
    folder = out or Path("bioae-experiments") / (f"{name}-quick" if quick else name)
    identity = identity_of(plan, target or ("numpy" if quick else Backend().target))
    if status:
        return _status(plan, Store.reading(folder, identity), json=json)
    need_torch("python -m experiments")
    known = None if rows is None else read_document(rows)
    if known is not None and rows is not None:
        check_rows(known, identity, rows, columns=plan.experiment.columns)
    document = _run(plan, keys, folder, identity, known, resume=resume, overwrite=overwrite)
    return 130 if document is None else _verdict(plan, document, json=json, page=folder)


def _list(*, json: bool) -> int:
    from experiments.runner.experiment import Plan
    from experiments.runner.registry import available, load

    plans = [Plan(load(name)) for name in available()]
    if json:
        entries = [
            {
                "name": plan.experiment.name,
                "title": plan.experiment.title,
                "claim": plan.experiment.claim,
                "source": plan.experiment.source,
                "conditions": {name: each.text for name, each in plan.conditions.items()},
                "rows": len(plan.keys()),
            }
            for plan in plans
        ]
        print(json_format.dumps(entries))
        return 0
    from bioae.cli.tables import print_wrapped

    width = max(len(plan.experiment.name) for plan in plans)
    for plan in plans:
        rows = f"{len(plan.conditions)} conditions, {len(plan.keys())} rows"
        start = f"{plan.experiment.name:{width}}  "
        print_wrapped(f"{plan.experiment.title} ({rows})", start=start, indent=width + 2)
        print_wrapped(plan.experiment.claim, start=" " * (width + 2), indent=width + 2)
    return 0


def _run(
    plan: Plan,
    keys: Sequence[Key],
    folder: Path,
    identity: Identity,
    known: Document | None,
    *,
    resume: bool,
    overwrite: bool,
) -> Document | None:
    """Run the missing rows and return all; None if that was interrupted and can be continued.

    Known rows of another run are taken over first.
    """
    from bioae.simulation.targets.activation import check_target
    from experiments.runner.run import document_of, export, run_rows
    from experiments.runner.store import IDENTITY, check_folder, opened

    check_folder(folder, identity, resume=resume, overwrite=overwrite)
    check_target(identity.target)
    try:
        with opened(folder, identity, resume=resume, overwrite=overwrite) as found:
            store = found if known is None else found.take(known, plan.keys())
            run_rows(plan, store, keys, _Means())
            document = document_of(plan, store)
            export(plan, document, folder)
    except KeyboardInterrupt:
        if not (folder / IDENTITY).exists():
            raise
        line = "bioae: interrupted; continue with the same command and --resume"
        print(line, file=sys.stderr)
        return None
    return document


class _Means:
    """Training, simulation and progress of trials; see `Means` of the runner."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    def train(self, tables: Mapping[str, Any], folder: Path) -> TrainingResult:
        from bioae.trainers import TrainingConfig, train

        config = TrainingConfig.from_mapping(tables, where=folder.name)
        resume = _resumable(folder)
        return train(config, folder, resume=resume, overwrite=True)

    def learn(self, tables: Mapping[str, Any], folder: Path) -> LearningResult:
        from bioae.learning import LearningConfig, learn_from

        config = LearningConfig.from_mapping(tables, where=folder.name)
        return learn_from(config, folder, resume=_resumable(folder), overwrite=True)

    def baseline(self, tables: Mapping[str, Any], folder: Path) -> BaselineResult:
        from experiments.baselines import BaselineConfig, train_baseline

        config = BaselineConfig.from_mapping(tables, where=folder.name)
        resume = _resumable(folder)
        return train_baseline(config, folder, resume=resume, overwrite=True)

    def simulate(
        self, network: Network, images: Data | ArrayLike, path: Path, backend: Backend, seed: int
    ) -> xr.DataTree:
        from bioae.analysis import open_result
        from bioae.api import simulate_to

        simulate_to(path, network, images, backend, seed=seed, resume=True, overwrite=True)
        return open_result(path, lazy=True)  # all spikes of a bursting network fill the memory

    def mirror(self, network: Network, images: Data | ArrayLike, seed: int) -> xr.DataTree:
        from bioae.api import simulate

        return simulate(network, images, "torch", seed=seed)

    def report(self, line: str) -> None:
        self._console.print(line, markup=False)


def _resumable(folder: Path) -> bool:
    from bioae.trainers.training.folder import CHECKPOINT, LEARNING

    return any((folder / name).exists() for name in (CHECKPOINT, LEARNING))


def _status(plan: Plan, store: Store, *, json: bool) -> int:
    from rich.console import Console

    from bioae.analysis.measures.tables import Table
    from bioae.cli.tables import print_table
    from experiments.runner.run import document_of

    document = document_of(plan, store)
    for line in store.unreadable(plan.keys()):
        print(line, file=sys.stderr)
    if not json:
        rows = []
        finished = {row.key for row in document.rows}
        for name in plan.conditions:
            seeds = plan.seeds_of(name)
            missing = [str(seed) for seed in seeds if (name, seed) not in finished]
            count = f"{len(seeds) - len(missing)} of {len(seeds)}"
            rows.append((name, count, ", ".join(missing) or "none"))
        headings = ("condition", "rows", "missing seeds")
        table = Table(f"Rows in {store.folder}", headings, tuple(rows), texts=headings[2:])
        console = Console()
        print_table(table, console)
    return _verdict(plan, document, json=json)


def _verdict(plan: Plan, document: Document, *, json: bool, page: Path | None = None) -> int:
    """Print the verdict, and where the page is if one was written; return the exit status."""
    from bioae.cli.tables import print_wrapped
    from experiments.runner.verdict import judge

    verdict = judge(plan, document)
    if json:
        print(json_format.dumps({"experiment": plan.experiment.name, **verdict.to_mapping()}))
    else:
        for line in verdict.lines():
            print_wrapped(line, indent=2)
        if plan.small:
            print_wrapped(
                "This is the quick form: it tests the program, and shows nothing about the claim."
            )
        if page is not None:
            print(f"Page: {page / plan.experiment.name}.md")
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
