"""A network small enough to train in a blink, with the interface of a mirror.

Run as a script, it trains in a folder and kills itself after a number of batches.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.datasets import Images
from bioae.networks.encoders import Bernoulli
from bioae.noise import Key
from bioae.trainers.mirror.derivatives import derivative, spike
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.loop import Report, fit
from bioae.trainers.training.problem import Problem, build_regularisers

STEPS = 6
SIDE = 6
HIDDEN = 10
NETWORK: dict[str, Any] = {
    "input_shape": [1, SIDE, SIDE],
    "steps": STEPS,
    "latent": "hidden",
    "layers": [
        {"kind": "dense", "name": "hidden", "units": HIDDEN},
        {"kind": "dense", "name": "output", "shape": [1, SIDE, SIDE]},
    ],
}


@dataclass
class Layer:
    name: str
    spikes: Tensor
    potential: Tensor

    @property
    def final_potential(self) -> Tensor:
        return self.potential[-1]

    @property
    def counts(self) -> Tensor:
        return self.spikes.sum(0)


@dataclass
class Activity:
    layers: dict[str, Layer]
    reconstruction: Tensor


class Standin(torch.nn.Module):
    """Two dense layers of leaky neurons; the leak of the first is trained within bounds."""

    def __init__(self, seed: int, rule: str) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        pixels = SIDE * SIDE
        self._weights = {
            name: torch.nn.Parameter(value)
            for name, value in {
                "hidden.weight": 0.8 * torch.randn(HIDDEN, pixels, generator=generator),
                "output.weight": 0.8 * torch.randn(pixels, HIDDEN, generator=generator),
                "hidden.leak": torch.full((), 0.9),
            }.items()
        }
        self._rule = derivative(rule)

    @property
    def weights(self) -> Mapping[str, torch.nn.Parameter]:
        return self._weights

    @property
    def synaptic(self) -> tuple[str, ...]:
        return "hidden.weight", "output.weight"

    def clamp_(self) -> None:
        with torch.no_grad():
            self._weights["hidden.leak"].clamp_(0.899, 0.901)

    def forward(self, drive: Tensor, *, key: Key) -> Activity:
        leak = self._weights["hidden.leak"]
        hidden = self._layer("hidden", drive.flatten(2), leak)
        output = self._layer("output", hidden.spikes, torch.tensor(0.9))
        shape = (drive.shape[1], 1, SIDE, SIDE)
        reconstruction = output.potential.amax(0).reshape(shape) / STEPS
        return Activity({"hidden": hidden, "output": output}, reconstruction)

    def _layer(self, name: str, inputs: Tensor, leak: Tensor) -> Layer:
        currents = torch.nn.functional.linear(inputs, self._weights[f"{name}.weight"])
        u = total = torch.zeros_like(currents[0])
        spikes, potentials = [], []
        for current in currents.unbind():
            u, total = u + current, leak * (total + current)
            spikes.append(spike(u > 1, u - 1, torch.ones(()), self._rule))
            u = leak * u * (1 - spikes[-1].detach())
            potentials.append(total)
        return Layer(name, torch.stack(spikes), torch.stack(potentials))


def images(count: int, split: str) -> Images:
    generator = np.random.default_rng(len(split))
    pixels = generator.integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)
    return Images(pixels, None, "noise", split, np.arange(count))


def encode(
    pictures: NDArray[np.float64], examples: NDArray[np.int64], *, seed: int
) -> NDArray[Any]:
    return Bernoulli(rate=0.5).encode(pictures, examples, steps=STEPS, seed=seed)


def config(**training: Any) -> TrainingConfig:
    """Return 20 images in batches of 6, the last smaller; a checkpoint after every batch."""
    settings = {"epochs": 3, "batch_size": 6, "threads": 1, "checkpoint_seconds": 0, **training}
    terms = {"beta2": 0.01, "lambda1": 0.01, "l2": 1e-4, "neuron2": 0.01}
    return TrainingConfig.from_mapping(
        {"network": NETWORK, "training": settings, "regularisers": terms}
    )


def problem(configuration: TrainingConfig) -> Problem:
    settings = configuration.training
    return Problem(
        config=configuration,
        mirror=Standin(settings.seed, settings.derivative.name),
        encode=encode,
        train=images(20, "train"),
        validation=images(7, "test"),
        regularisers=build_regularisers(configuration, ("hidden", "output")),
    )


def main(out: str, batches: str) -> None:
    left = int(batches)

    def kill(_: Report) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    fit(problem(config()), Path(out), resume=(Path(out) / "config.toml").exists(), progress=kill)


if __name__ == "__main__":
    main(*sys.argv[1:])
