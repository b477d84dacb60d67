"""The problem of training a spiking network: its mirror, input and regularisers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bioae.datasets import Data
from bioae.firing_names import bursts
from bioae.networks import artefact
from bioae.networks.network import Network
from bioae.noise import Key
from bioae.runs.assessment import read_layers
from bioae.runs.folder import MODEL
from bioae.runs.splits import Splits
from bioae.simulation.presentations import values_of
from bioae.trainers.mirror.activity import Activity, LayerActivity
from bioae.trainers.mirror.diagnosis import Culprit, first_not_finite
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.averaging import in_place_of
from bioae.trainers.training.calibration import FiringScale, Misfit
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.descent import Batch, DescentProblem, targets_of
from bioae.trainers.training.losses import measured
from bioae.trainers.training.regularisers import evaluate as evaluate_regularisers
from bioae.trainers.training.stages import Stage


@dataclass(frozen=True)
class Problem(DescentProblem):
    """A spiking network on the run's device and of its dtype, its examples, and its objective."""

    config: TrainingConfig
    mirror: NetworkMirror
    data: Splits

    @property
    def weights(self) -> Mapping[str, nn.Parameter]:
        """The mirror's weights, biases and neuron parameters."""
        return self.mirror.weights

    @property
    def synaptic(self) -> Collection[str]:
        """The names of the weights of connections."""
        return self.mirror.synaptic

    @property
    def parameters(self) -> Collection[str]:
        """The names of the trained neuron parameters."""
        return self.mirror.trained

    @cached_property
    def absent(self) -> Mapping[str, Tensor]:
        """The weights that are not potential connections: autapses, in layers without them."""
        potential = {
            name: placed.potential_connections(name)
            for placed in self.config.network.placed
            for name in placed.weight_shapes
        }
        return {n: torch.from_numpy(~each) for n, each in potential.items() if not each.all()}

    def batch(self, data: Data, seed: int) -> Batch:
        """Encode examples; random input depends on the seed and on the number of each example."""
        network, settings = self.config.network, self.config.training
        values = values_of(network, data)
        drive = network.encoder.encode(values, data.indices, steps=network.steps, seed=seed)
        options = {"device": settings.device, "dtype": getattr(torch, settings.dtype)}
        return Batch(
            torch.from_numpy(drive).to(**options),
            targets_of(self.task, data, network.steps, **options),
            Key(seed, data.indices),
        )

    def run(self, batch: Batch) -> Activity:
        """Run the mirror."""
        activity = self.mirror(batch.drive, key=batch.key)
        return measured(self.task, activity, self.config.network.dt_seconds)

    def added(
        self, outputs: Activity, batch: Batch, stage: Stage, elapsed: float
    ) -> dict[str, Tensor]:
        """Return the regularisers of the stage, by symbol."""
        return evaluate_regularisers(stage.regularisers, outputs, self.connections, elapsed)

    def tallies(self) -> dict[str, LayerTally]:
        """Return a tally for each layer that can spike."""
        placed = self.mirror.config.placed
        return {each.name: LayerTally() for each in placed if each.can_fire}

    @contextmanager
    def as_stored(self) -> Iterator[None]:
        """Round the weights to the grid of the artefact, and delays to steps."""
        weights, delays = self.mirror.weights, self.mirror.delays.values()
        stored = [weights[name] for name in self.mirror.gridded]
        bits = self.config.training.grid_bits
        with on_grid(stored, bits), on_grid([each.steps for each in delays], 0):
            yield

    def constrain(self) -> None:
        """Project neuron parameters that are trained now, and delays, into their bounds."""
        self.mirror.clamp_()

    def result(self, summary: Mapping[str, Any]) -> Network:
        """Return the network, its weights rounded to the configured grid."""
        network, bits = self.mirror.to_network(), self.config.training.grid_bits
        return network if bits is None else network.quantised(bits)

    def save(self, out: Path, result: Network, summary: Mapping[str, Any]) -> None:
        """Write the artefact."""
        record = self.config.record
        artefact.save(result, out / MODEL, training=record, metrics=summary, overwrite=True)

    def waking(self, layer: str) -> str | None:
        """Return the regulariser `silent`, where spikes have times as their only derivatives."""
        unset = all("silent" not in stage.regularisers for stage in self.stages)
        exact = self.config.training.derivative_of(layer).name == "exact"
        return "silent = 0.05 in [regularisers]" if exact and unset else None

    def calibrate(self, batches: Sequence[Batch], misfit: Misfit | None = None) -> None:
        """Scale the weights of each layer whose spikes are read, by `FiringScale.scale`."""
        received = [(self.mirror.received(each.drive), each.key) for each in batches]
        mirror, layers = self.mirror, self.config.network.placed
        weights = {each.name: [mirror.weights[n] for n in each.weight_shapes] for each in layers}
        scale = FiringScale(mirror.components, mirror.run, weights, received, self.as_stored)
        in_order = dict.fromkeys(name for each in mirror.components for name in each)
        scale.scale(read_layers(self.config.network, in_order), misfit)

    def cause(self, loss: Callable[[], Tensor]) -> Culprit | None:
        """Return the operation of a neuron model that first made a number that is not finite."""
        return first_not_finite(self.mirror.layers.values(), loss)


def on_grid(weights: Collection[Tensor], bits: int | None) -> AbstractContextManager[None]:
    """Round weights to multiples of ``2^-bits`` inside the block, ties to even.

    On this grid, sums of weights are exact in any order. Training goes on with the weights
    themselves; `bits` of None rounds nothing.
    """
    if bits is None:
        return nullcontext()
    rounded = [torch.round(weight.detach() * 2.0**bits) * 2.0**-bits for weight in weights]
    return in_place_of(weights, rounded)


class LayerTally:
    """Spike counts of one layer's neurons, summed over the batches of an evaluation set.

    The figures are those of Hübotter, Lanillos, Tomczak 2021 (arXiv:2109.11045), who call a neuron
    dead if it never spikes over the whole set. The rate of the neurons that are alive is added,
    because a mean over all neurons hides dead and bursting ones.
    """

    def __init__(self) -> None:
        self._examples = self._steps = 0
        self._spikes = self._active = torch.zeros((), dtype=torch.int64)

    def add(self, layer: LayerActivity) -> None:
        """Count the spikes of a batch, shape (time, example, *shape)."""
        self.count(layer.counts.flatten(1), steps=len(layer.spikes))

    def count(self, counts: Tensor, *, steps: int) -> None:
        """Add the spikes of a batch in its time steps, (example, neuron)."""
        self._steps = steps
        self._examples += len(counts)
        self._spikes = self._spikes + counts.sum(0, dtype=torch.float64)
        self._active = self._active + (counts > 0).sum(0)

    def figures(self) -> dict[str, float]:
        """Return the layer's figures, those of `bioae.analysis.DEFINITIONS` with the same names.

        Only ``rate_per_step_mean_alive`` is 0 where no neuron spiked.
        """
        rates = self._spikes / (self._examples * self._steps)
        alive = self._spikes > 0
        active = self._active.double()
        bursting = bursts(self._spikes, active, self._steps)
        return {
            "rate_per_step_mean": rates.mean().item(),
            "rate_per_step_mean_alive": rates[alive].mean().item() if alive.any() else 0.0,
            "active_fraction_mean": (active / self._examples).mean().item(),
            "dead_fraction": (~alive).double().mean().item(),
            "bursting_fraction": bursting.double().mean().item(),
        }
