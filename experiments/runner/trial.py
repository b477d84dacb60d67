"""A trial: one condition with one seed, which trains, simulates, and returns a row's numbers."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from bioae.simulation.backend import Backend, Target, known_target
from experiments.runner.experiment import Key, Plan
from experiments.runner.provenance import provenance
from experiments.runner.rows import row_of
from experiments.runner.store import Store, locked

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from bioae.datasets import Data
    from bioae.networks.network import Network
    from bioae.runs import Trained


@dataclass(frozen=True)
class Trial:
    """One condition with one seed.

    Training runs in `folder` are kept; results of simulations and checkpoints are removed when the
    row is finished. All trials of a seed share the folder `shared`; its checkpoints are removed
    when all their rows are finished. `results` closes results when the trial has ended.
    """

    condition: str
    settings: Mapping[str, Any]
    seed: int
    sizes: Mapping[str, Any]
    folder: Path
    shared: Path
    target: Target
    results: ExitStack = field(default_factory=ExitStack)

    def data(
        self, train: Data, test: Data, name: str = "data", *, share: bool = False
    ) -> dict[str, str]:
        """Write a data set that training reads, and return the table ``[data]`` that names it.

        With `share` other conditions of the seed train on the same data.
        """
        from bioae.datasets import save

        folder = self.shared if share else self.folder
        with locked(folder / f".{name}.lock"):
            path = save(folder / f"{name}.npz", train, test, overwrite=True)
        return {"name": str(path)}

    def untrained(self, tables: Mapping[str, Any]) -> Network:
        """Return the network that is described, with the initial weights of the trial's seed."""
        from bioae.networks import Network, NetworkConfig

        config = NetworkConfig.from_mapping(tables, where=f"condition {self.condition!r}")
        return Network.initialise(config, seed=self.seed).quantised()

    def train(
        self, tables: Mapping[str, Any], name: str = "training", *, share: bool = False
    ) -> Trained:
        """Train a network by gradients or rules, or continue an interrupted run.

        The trial's seed takes the place of that in the tables. With `share` other conditions need
        the same network: the first that asks for this name trains it, in the folder that they
        share, and the others get it.
        """
        from bioae.api import train

        return self._run(train, tables, name, share=share)

    def baseline(
        self, tables: Mapping[str, Any], name: str = "baseline", *, share: bool = False
    ) -> Trained:
        """Train or fit a conventional network or a trivial predictor, or continue; as `train`."""
        from experiments.baselines import train_baseline

        return self._run(train_baseline, tables, name, share=share)

    def _run(
        self,
        run: Callable[..., Trained],
        tables: Mapping[str, Any],
        name: str,
        *,
        share: bool,
    ) -> Trained:
        """Carry out a run in its folder, with the trial's seed in one of its tables."""
        from bioae.runs.folder import CHECKPOINT

        seeded = "learning" if "learning" in tables else "training"
        tables = {**tables, seeded: {**tables.get(seeded, {}), "seed": self.seed}}
        parent = self.shared if share else self.folder
        with locked(parent / f".{name}.lock") if share else nullcontext():
            out = parent / name
            resume = (out / CHECKPOINT).exists()
            return run(tables, out=out, resume=resume, overwrite=True)

    def simulate(
        self, network: Network, data: Data | ArrayLike, name: str = "simulation"
    ) -> xr.DataTree:
        """Simulate in Brian2 with the trial's seed into NAME.nc, or continue that.

        Its values are read from the file as they are used, until the trial ends.
        """
        from bioae.analysis import open_result
        from bioae.api import simulate_to

        path, backend = self.folder / f"{name}.nc", Backend(self.target)
        simulate_to(path, network, data, backend, seed=self.seed, resume=True, overwrite=True)
        result = open_result(path, lazy=True)  # all spikes of a bursting network fill the memory
        self.results.callback(result.close)
        return result

    def mirror(self, network: Network, data: Data | ArrayLike) -> xr.DataTree:
        """Simulate a network in the mirror, in float64, with the trial's seed."""
        from bioae.api import simulate

        return simulate(network, data, "torch", seed=self.seed)


def run_rows(plan: Plan, store: Store, keys: Sequence[Key]) -> None:
    """Run the rows that do not exist, and store each when it is finished.

    Rows on which other processes work come last: they exist by then, or the process was killed.
    """
    provenance()  # once per process: of the code that runs, not of what is there at the end
    for line in store.unreadable(plan.keys()):
        print(line, file=sys.stderr)
    for wait in (False, True):
        for place, key in enumerate(keys, start=1):
            name = f"{key[0]}, seed {key[1]} (row {place} of {len(keys)})"
            if store.row(key) is not None:
                continue
            if wait:
                print(f"{name}: waiting for another process", file=sys.stderr)
            try:
                with store.lock(key).acquire(timeout=-1 if wait else 0):
                    if store.row(key) is None:
                        print(name, file=sys.stderr)
                        _run_row(plan, store, key)
            except Timeout:
                continue
    store.tidy(plan.keys())


def _run_row(plan: Plan, store: Store, key: Key) -> None:
    condition, seed = key
    folder, shared = store.trial(key), store.shared(seed)
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with ExitStack() as results:
        settings = plan.conditions[condition].settings
        target = known_target(store.identity.target)
        trial = Trial(condition, settings, seed, plan.sizes, folder, shared, target, results)
        numbers = plan.experiment.run(trial)
    seconds = round(time.monotonic() - started, 1)
    store.add(row_of(plan, key, numbers, {**provenance(), "seconds": seconds}))
