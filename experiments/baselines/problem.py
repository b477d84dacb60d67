"""The problem of training a conventional network, for the loop that trains spiking ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from bioae.datasets import Data
from bioae.noise import Key
from bioae.runs.folder import MODEL
from bioae.runs.splits import Splits
from bioae.simulation.presentations import values_of
from bioae.trainers.mirror.activity import Activity
from bioae.trainers.training.descent import Batch, DescentProblem, targets_of
from bioae.trainers.training.regularisers import evaluate as evaluate_regularisers
from bioae.trainers.training.stages import Stage
from experiments.baselines.autoencoder import kl_divergence
from experiments.baselines.config import BaselineConfig, VariationalKind
from experiments.baselines.layers import Activations, ConventionalModule
from experiments.baselines.stored import Conventional, save_baseline


@dataclass(frozen=True)
class BaselineProblem(DescentProblem):
    """A conventional network, the data to train it on, and its objective.

    `module`: the network, on the configuration's device; `data`: the data to train on, and those on
    which it is evaluated after each epoch and at the end.
    """

    config: BaselineConfig
    module: ConventionalModule
    data: Splits

    @property
    def weights(self) -> Mapping[str, nn.Parameter]:
        """The weights and biases."""
        return self.module.arrays

    @property
    def synaptic(self) -> Collection[str]:
        """The names of the weights, without biases."""
        return self.module.synaptic

    def batch(self, images: Data, seed: int) -> Batch:
        """Return images or signals, and the targets of the task."""
        network = self.config.network
        inputs = self.module.inputs(values_of(network, images))
        target = targets_of(
            network.task, images, network.steps, dtype=inputs.dtype, device=inputs.device
        )
        return Batch(inputs, target, Key(seed, images.indices))

    def run(self, batch: Batch) -> Activations:
        """Run the network, with random latent numbers in a variational auto-encoder."""
        outputs: Activations = self.module(batch.drive, batch.key)
        return outputs

    def evaluated(self, batch: Batch) -> Activations:
        """Run the network, with the mean of latent numbers."""
        outputs: Activations = self.module(batch.drive)
        return outputs

    def added(
        self,
        outputs: Activations,
        batch: Batch,
        stage: Stage,
        elapsed: float,
    ) -> dict[str, Tensor]:
        """Return ``kl``, beta times the divergence, if there is one, and the terms of weights."""
        terms = {}
        kind = self.config.baseline
        if isinstance(kind, VariationalKind):
            assert outputs.mean is not None
            assert outputs.log_variance is not None
            terms["kl"] = kind.beta * kl_divergence(outputs.mean, outputs.log_variance)
        silent = Activity({}, outputs.output)
        return terms | evaluate_regularisers(stage.regularisers, silent, self.connections, elapsed)

    def tallies(self) -> dict[str, Any]:
        """Return no tallies: no unit spikes."""
        return {}

    def as_stored(self) -> AbstractContextManager[None]:
        """Return a context in which the weights are as they are: nothing is rounded."""
        return nullcontext()

    def constrain(self) -> None:
        """Leave the weights as they are: they have no bounds."""

    def result(self, summary: Mapping[str, Any]) -> Conventional:
        """Return the baseline, which predicts the outputs of examples."""
        return Conventional(self.module)

    def save(self, out: Path, result: Conventional, summary: Mapping[str, Any]) -> None:
        """Write the baseline."""
        save_baseline(result, self.config, out / MODEL)
