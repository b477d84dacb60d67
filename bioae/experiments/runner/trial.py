"""A trial: one condition with one seed, and the means to train, simulate and measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.simulation.backend import Backend, Target

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from bioae.datasets import Images
    from bioae.networks.network import Network
    from bioae.simulation.presentations import Progress
    from bioae.trainers import TrainingResult
    from bioae.trainers.training.loop import Reporter

__all__ = ["RESULTS", "Reporting", "Trial", "fewest_spikes"]

#: The endings of files that a trial does not need any more when its row is finished.
RESULTS = (".nc", "checkpoint.safetensors")


def _ignore(line: str) -> None:
    """Print nothing."""


@dataclass(frozen=True)
class Reporting:
    """Where progress goes: nowhere by default.

    Attributes
    ----------
    line
        Prints a line.
    training
        Opens the progress of a training run.
    counting
        Opens the progress of counted work, with a label.
    """

    line: Callable[[str], None] = _ignore
    training: Callable[[], AbstractContextManager[Reporter | None]] = nullcontext
    counting: Callable[[str], AbstractContextManager[Progress | None]] = lambda _: nullcontext()


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
    target
        The Brian2 target.
    reporting
        Where progress goes.
    """

    condition: str
    settings: Mapping[str, Any]
    seed: int
    sizes: Mapping[str, Any]
    folder: Path
    target: Target
    reporting: Reporting = field(default_factory=Reporting)

    def train(self, values: Mapping[str, Any], name: str = "training") -> TrainingResult:
        """Train a network, or continue an interrupted run.

        Parameters
        ----------
        values
            The tables of a training configuration. The trial's seed takes the place of its seed.
        name
            The folder of the run in that of the trial.
        """
        from bioae.trainers import TrainingConfig, train

        out = self.folder / name
        training = {**values.get("training", {}), "seed": self.seed}
        config = TrainingConfig.from_mapping({**values, "training": training}, where=name)
        resume = (out / "checkpoint.safetensors").exists()
        with self.reporting.training() as progress:
            return train(config, out, resume=resume, overwrite=True, progress=progress)

    def simulate(
        self,
        network: Network,
        images: Images | ArrayLike,
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
            The name of the result's file in the trial's folder.
        backend
            The options; the trial's target and no other option by default.

        Returns
        -------
        xarray.DataTree
            See `docs/result.md`.
        """
        from bioae.analysis import open_result
        from bioae.simulation import simulate_to

        path = self.folder / f"{name}.nc"
        with self.reporting.counting("images in Brian2") as progress:
            simulate_to(
                path, network, images, backend or Backend(self.target), seed=self.seed,
                progress=progress, resume=True, overwrite=True,
            )  # fmt: skip
        return open_result(path)


def fewest_spikes(network: Network, result: xr.DataTree) -> int:
    """Return the number of spikes of the quietest layer, of those whose neurons can spike."""
    spiking = [layer.name for layer in network.config.placed if layer.model.threshold is not None]
    return min(int(result[f"layers/{name}"]["spike_count"].sum()) for name in spiking)
