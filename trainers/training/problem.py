"""A training problem: a mirror, its images and its objective; reproducible batches; evaluation.

Randomness follows from the run's seed and the epoch's number. No generator has a state that a
checkpoint would have to store.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.analysis import BURSTING_THRESHOLD
from bioae.datasets import Data
from bioae.errors import DataError
from bioae.networks.tasks import Task
from bioae.noise import Key
from bioae.simulation.presentations import values_of
from bioae.trainers.mirror.activity import LayerActivity
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.losses import Loss, loss_function
from bioae.trainers.training.scores import Scores
from bioae.trainers.training.stages import Stage, stages_of

__all__ = [
    "Batch",
    "LayerTally",
    "Problem",
    "Split",
    "encoder_seed",
    "evaluate",
    "example_order",
    "on_grid",
    "reproducible",
]

#: Images that a network is evaluated on.
Split: TypeAlias = Literal["validation", "test"]

#: The epoch whose input spikes the held-out images receive every time; training counts from 1.
_VALIDATION = 0


def example_order(seed: int, epoch: int, examples: int) -> NDArray[np.int64]:
    """Return the order of the images in an epoch, a permutation of their positions.

    Drawn from a counter-based generator (Philox 4x64; Salmon et al. 2011, SC '11).
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, 0))))
    return generator.permutation(examples)


def encoder_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch's input spikes, below 2^32."""
    return int(np.random.SeedSequence((seed, epoch, 1)).generate_state(1)[0])


@contextmanager
def reproducible(threads: int) -> Iterator[None]:
    """Make PyTorch deterministic inside the block, with that many threads.

    Raises
    ------
    RuntimeError
        Inside the block, from PyTorch, if an operation has no deterministic form.
    """
    # cuBLAS reads it on first use, and requires this value for deterministic runs.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    filling: Any = torch.utils.deterministic
    fill = filling.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # Filling every new tensor guards against reading it unset, at the cost of a pass over memory.
    filling.fill_uninitialized_memory = False
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        filling.fill_uninitialized_memory = fill
        torch.set_num_threads(before[1])


class Batch(NamedTuple):
    """Encoded images.

    Attributes
    ----------
    drive
        The input of the mirror (time, example, channel, y, x).
    targets
        The targets of the task: images, numbers (example, ...), or classes (example,).
    key
        The key of the neurons' noise.
    """

    drive: Tensor
    targets: Tensor
    key: Key


@dataclass(frozen=True)
class Problem:
    """A network, the images to train it on, and its objective.

    Parameters
    ----------
    config
        The run's configuration.
    mirror
        The network, on the configuration's device and of its dtype.
    train, validation, test
        The data to train on, and those on which it is evaluated after each epoch and at the end.
    """

    config: TrainingConfig
    mirror: NetworkMirror
    train: Data
    validation: Data
    test: Data

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the run."""
        return stages_of(self.config)

    @property
    def task(self) -> Task:
        """The task of the network."""
        return self.config.network.task

    def score_name(self, split: Split) -> str:
        """Return the name of the metric of a split by which networks are compared."""
        return f"{split}_{next(iter(self.task.scores))}"

    @property
    def loss(self) -> Loss:
        """The loss of the task."""
        return loss_function(self.config.loss)

    def batch(self, images: Data, seed: int) -> Batch:
        """Encode images; random input depends on the seed and on the number of each image."""
        network, settings = self.config.network, self.config.training
        values = values_of(network, images)
        drive = network.encoder.encode(values, images.indices, steps=network.steps, seed=seed)
        options = {"device": settings.device, "dtype": getattr(torch, settings.dtype)}
        target = torch.from_numpy(network.task.target_of(images, network.steps))
        whole = target.dtype == torch.int64  # classes stay whole numbers
        return Batch(
            torch.from_numpy(drive).to(**options),
            target.to(settings.device) if whole else target.to(**options),
            Key(seed, images.indices),
        )


@contextmanager
@torch.no_grad()
def on_grid(weights: Collection[Tensor], bits: int | None) -> Iterator[None]:
    """Round weights to multiples of ``2^-bits`` inside the block, ties to even.

    On this grid, sums of weights are exact in any order. The weights are restored afterwards;
    `bits` of None rounds nothing. A weight moves by at most ``2^-(bits + 1)``, which is negligible
    for training: it continues with the unrounded weights.
    """
    exact = [weight.detach().clone() for weight in weights]
    if bits is not None:
        for weight in weights:
            weight.copy_(torch.round(weight * 2.0**bits) * 2.0**-bits)
    try:
        yield
    finally:
        for weight, before in zip(weights, exact, strict=True):
            weight.copy_(before)


def evaluate(problem: Problem, split: Split = "validation") -> dict[str, Any]:
    """Evaluate a network on held-out images, with its weights as the artefact stores them.

    Returns
    -------
    dict
        ``SPLIT_SCORE`` for each score of the task, ``SPLIT_sum_squared_error`` (per image, pixels
        in [0, 1]) of an auto-encoder; ``layers``, or ``test_layers`` for the test split: the
        figures of `LayerTally` for each layer that spikes, by name.
    """
    settings = problem.config.training
    images: Data = getattr(problem, split)
    size = settings.evaluation_batch_size or settings.batch_size
    seed = encoder_seed(settings.seed, _VALIDATION)
    placed = problem.mirror.config.placed
    tallies = {each.name: LayerTally() for each in placed if each.model.threshold is not None}
    scores = Scores(problem.task)
    weights = problem.mirror.weights
    stored = [weights[name] for name in problem.mirror.gridded]
    with on_grid(stored, settings.grid_bits), torch.no_grad():
        for start in range(0, len(images), size):
            drive, targets, key = problem.batch(images[start : start + size], seed)
            activity = problem.mirror(drive, key=key)
            scores.add(activity.output, targets)
            for name, tally in tallies.items():
                tally.add(activity.layers[name])
    return {
        **{f"{split}_{name}": value for name, value in scores.values().items()},
        "layers" if split == "validation" else f"{split}_layers": {
            name: tally.figures() for name, tally in tallies.items()
        },
    }


class LayerTally:
    """Spike counts of one layer's neurons, summed over the batches of an evaluation set.

    The figures are those of Hübotter, Lanillos, Tomczak 2021 (arXiv:2109.11045), who call a neuron
    dead if it never spikes over the whole set. The density of the neurons that are alive is added,
    because a mean over all neurons hides dead and bursting ones.
    """

    def __init__(self) -> None:
        self._examples = 0
        self._steps = 0
        self._spikes: Tensor | None = None
        self._active: Tensor | None = None

    def add(self, layer: LayerActivity) -> None:
        """Count the spikes of a batch, shape (time, example, *shape)."""
        counts = layer.spikes.sum(0).flatten(1)
        spikes = counts.sum(0, dtype=torch.float64)
        active = (counts > 0).sum(0)
        self._steps = len(layer.spikes)
        self._examples += len(counts)
        self._spikes = spikes if self._spikes is None else self._spikes + spikes
        self._active = active if self._active is None else self._active + active

    def figures(self) -> dict[str, float]:
        """Return the layer's figures.

        Returns
        -------
        dict
            ``density``: spikes per neuron and step, ``rate_per_step_mean`` in `bioae.analysis`;
            ``density_alive``: the same for the neurons that spiked at all, 0 where none did;
            ``active``: the fraction of neurons that spike for an example, averaged over examples;
            ``dead``: the fraction of neurons that never spiked; ``bursting``: the fraction of
            neurons that spike, on average over the examples in which they fire, in more than
            `bioae.analysis.BURSTING_THRESHOLD` of the steps.

        Raises
        ------
        DataError
            If nothing was counted.
        """
        if self._spikes is None or self._active is None:
            raise DataError("no activity was counted", expected="at least one batch")
        rates = self._spikes / (self._examples * self._steps)
        alive = self._spikes > 0
        while_firing = self._spikes / (self._active.clamp(min=1) * self._steps)
        return {
            "density": rates.mean().item(),
            "density_alive": rates[alive].mean().item() if alive.any() else 0.0,
            "active": (self._active.double() / self._examples).mean().item(),
            "dead": (~alive).double().mean().item(),
            "bursting": (while_firing > BURSTING_THRESHOLD).double().mean().item(),
        }
