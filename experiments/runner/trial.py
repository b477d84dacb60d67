"""A trial: one condition with one seed, and the means to train and to simulate.

The command line passes these means: nothing here needs PyTorch or Brian2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from filelock import FileLock

from bioae.simulation.backend import Backend, Target

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    from bioae.datasets import Data
    from bioae.networks.network import Network

__all__ = ["Baseline", "Means", "Trained", "TrainedBaseline", "Trial", "fewest_spikes"]

Run = TypeVar("Run")


class Trained(Protocol):
    """A trained network, as `bioae.trainers.TrainingResult`."""

    @property
    def network(self) -> Network:
        """The network."""

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """The metrics of each epoch, which count presentations."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """The metrics of the selected epoch, and those on the test split."""

    @property
    def model(self) -> Path:
        """The artefact of the network."""


class Baseline(Protocol):
    """A conventional network or a predictor, as `bioae.trainers.Baseline`."""

    def predict(self, data: Data | ArrayLike) -> NDArray[Any]:
        """Predict the outputs of examples (example, *output_shape)."""

    def reconstruct(self, images: Data | ArrayLike) -> NDArray[Any]:
        """Reconstruct images (example, channel, y, x)."""

    def latent(self, images: Data | ArrayLike) -> NDArray[Any]:
        """Return the latent numbers of images (example, number)."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what was learned from the training data, by name: ``LAYER.weight`` and so on."""


class TrainedBaseline(Protocol):
    """A baseline that was trained or fitted, as `experiments.baselines.BaselineResult`."""

    @property
    def baseline(self) -> Baseline:
        """The baseline."""

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """The metrics of each epoch, which count presentations."""

    @property
    def summary(self) -> Mapping[str, Any]:
        """The metrics of the selected epoch, and those on the test split."""


class Means(Protocol):
    """Training, simulation and progress of trials."""

    def train(self, tables: Mapping[str, Any], folder: Path) -> Trained:
        """Train by the tables of a configuration, or continue an interrupted run in the folder."""

    def learn(self, tables: Mapping[str, Any], folder: Path) -> Trained:
        """Let a network learn by rules, or continue an interrupted run in the folder."""

    def baseline(self, tables: Mapping[str, Any], folder: Path) -> TrainedBaseline:
        """Train or fit a baseline by tables, or continue an interrupted run in the folder."""

    def simulate(
        self, network: Network, images: Data | ArrayLike, path: Path, backend: Backend, seed: int
    ) -> xr.DataTree:
        """Simulate into a file, or continue an interrupted run, and return the result."""

    def mirror(self, network: Network, images: Data | ArrayLike, seed: int) -> xr.DataTree:
        """Simulate in the mirror, in float64."""

    def report(self, line: str) -> None:
        """Print a line of progress."""


@dataclass(frozen=True)
class Trial:
    """One condition with one seed.

    Attributes
    ----------
    condition, settings
        The condition's name, and its settings.
    seed
        The seed, from 0.
    sizes
        The sizes of the full or the quick form.
    folder
        The trial's folder. Training runs in it are kept; results of simulations and checkpoints
        are removed when the row is finished.
    shared
        A folder that all trials of this seed share; its checkpoints are removed when all their rows
        are finished.
    target
        The Brian2 target.
    means
        What it is carried out with.
    results
        Closes results when the trial has ended.
    """

    condition: str
    settings: Mapping[str, Any]
    seed: int
    sizes: Mapping[str, Any]
    folder: Path
    shared: Path
    target: Target
    means: Means
    results: ExitStack = field(default_factory=ExitStack)

    def data(
        self, train: Data, test: Data, name: str = "data", *, share: bool = False
    ) -> dict[str, str]:
        """Write a data set that training reads, and return the table ``[data]`` that names it.

        Parameters
        ----------
        train, test
            Its splits.
        name
            The file's name, without its ending.
        share
            Whether other conditions of the seed train on the same data.
        """
        from bioae.datasets import save

        folder = self.shared if share else self.folder
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            path = save(folder / f"{name}.npz", train, test, overwrite=True)
        return {"name": str(path)}

    def untrained(self, tables: Mapping[str, Any]) -> Network:
        """Return a network with the initial weights of the trial's seed, on their grid.

        Parameters
        ----------
        tables
            The tables of the network's description, without those of training.
        """
        from bioae.networks import Network, NetworkConfig

        config = NetworkConfig.from_mapping(tables, where=f"condition {self.condition!r}")
        return Network.initialise(config, seed=self.seed).quantised()

    def train(
        self, tables: Mapping[str, Any], name: str = "training", *, share: bool = False
    ) -> Trained:
        """Train a network, or continue an interrupted run.

        Parameters
        ----------
        tables
            The tables of a training configuration. The trial's seed takes the place of its seed.
        name
            The folder of the run in that of the trial.
        share
            Whether other conditions need the same network: the first that asks for this name
            trains it, in the folder that they share, and the others get it.
        """
        return self._run(self.means.train, tables, name, share=share)

    def learn(
        self, tables: Mapping[str, Any], name: str = "learning", *, share: bool = False
    ) -> Trained:
        """Let a network learn by rules, or continue an interrupted run.

        Parameters
        ----------
        tables
            The tables of a learning configuration, see `docs/learning.md`. The trial's seed takes
            the place of its seed.
        name, share
            As for `train`.
        """
        return self._run(self.means.learn, tables, name, share=share, seeded="learning")

    def baseline(
        self, tables: Mapping[str, Any], name: str = "baseline", *, share: bool = False
    ) -> TrainedBaseline:
        """Train or fit a conventional network or a trivial predictor.

        Parameters
        ----------
        tables
            The tables of a training configuration, with `baseline`; see `docs/baselines.md`. The
            trial's seed takes the place of its seed.
        name, share
            As for `train`.
        """
        return self._run(self.means.baseline, tables, name, share=share)

    def _run(
        self,
        carry_out: Callable[[Mapping[str, Any], Path], Run],
        tables: Mapping[str, Any],
        name: str,
        *,
        share: bool,
        seeded: str = "training",
    ) -> Run:
        """Carry out a run in its folder, with the trial's seed in one of its tables."""
        tables = {**tables, seeded: {**tables.get(seeded, {}), "seed": self.seed}}
        if not share:
            return carry_out(tables, self.folder / name)
        self.shared.mkdir(parents=True, exist_ok=True)
        with FileLock(self.shared / f".{name}.lock"):
            return carry_out(tables, self.shared / name)

    def simulate(
        self,
        network: Network,
        images: Data | ArrayLike,
        name: str = "simulation",
        *,
        backend: Backend | None = None,
    ) -> xr.DataTree:
        """Simulate a network in Brian2 with the trial's seed, or continue an interrupted run.

        Parameters
        ----------
        network, images
            See `bioae.simulate`.
        name
            The name of the result's file in the trial's folder, without its ending.
        backend
            The options; the trial's target and no other option by default.

        Returns
        -------
        xarray.DataTree
            See `docs/result.md`.
        """
        backend = backend or Backend(self.target)
        path = self.folder / f"{name}.nc"
        result = self.means.simulate(network, images, path, backend, self.seed)
        self.results.callback(result.close)
        return result

    def mirror(self, network: Network, images: Data | ArrayLike) -> xr.DataTree:
        """Simulate a network in the mirror, in float64, with the trial's seed."""
        return self.means.mirror(network, images, self.seed)


def fewest_spikes(network: Network, result: xr.DataTree) -> int:
    """Return the number of spikes of the quietest layer, of those whose neurons can spike."""
    spiking = [layer.name for layer in network.config.placed if layer.can_fire]
    return min(int(result[f"layers/{name}"]["spike_count"].sum()) for name in spiking)
