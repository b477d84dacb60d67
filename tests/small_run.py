"""A network small enough to train within a second, with random images.

Run as a script, it trains in a folder and kills itself after a number of batches. A third argument
is more of the configuration, as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mirrors import mirror_of

from bioae.datasets import Data
from bioae.networks import Network
from bioae.runs import Report, Trained
from bioae.runs.run import run
from bioae.runs.splits import Splits
from bioae.trainers.mirror.derivatives import derivative
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.descent import DescentProblem
from bioae.trainers.training.problem import Problem
from bioae.trainers.training.trainer import GradientTrainer

SIDE = 6
#: Bounds so narrow that training meets them.
LEAKY = {
    "description": "Leaky integrate-and-fire neuron.", "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > 1", "reset": "v = 0", "method": "exact", "input": "v", "weight": "1",
    "parameters": {"tau": "10*ms"}, "trainable": {"tau": ["9.99*ms", "10.01*ms"]},
}  # fmt: skip
NETWORK: dict[str, Any] = {
    "input_shape": [1, SIDE, SIDE], "steps": 6, "latent": "hidden", "neuron": "leaky",
    "neurons": {"leaky": LEAKY}, "encoder": {"kind": "bernoulli", "rate": 0.5},
    "layers": [
        {"kind": "dense", "name": "hidden", "units": 10, "gain": 2.0},
        {"kind": "dense", "name": "output", "shape": [1, SIDE, SIDE], "gain": 2.0},
    ],
}  # fmt: skip


def images(count: int, split: str) -> Data:
    generator = np.random.default_rng(len(split))
    pixels = generator.integers(0, 256, (count, 1, SIDE, SIDE), dtype=np.uint8)
    return Data.of_images(pixels, name="noise", split=split)


def config(regularisers: dict[str, Any] | None = None, **training: Any) -> TrainingConfig:
    """Return 20 images in batches of 6, the last smaller; a checkpoint after every batch."""
    stages = training.get("stages") or [{}]
    own = all(isinstance(each, dict) and "epochs" in each for each in stages)
    settings = {
        **({} if own else {"epochs": 3}), "batch_size": 6, "threads": 1,
        "checkpoint_seconds": 0, "compile": False, "derivative": "fast_sigmoid",
        "trainable": ["tau"], **training,
    }  # fmt: skip
    terms = {"beta2": 0.01, "lambda1": 0.01, "l2": 1e-4, "neuron2": 0.01}
    return TrainingConfig.from_mapping(
        {"network": NETWORK, "training": settings, "regularisers": regularisers or terms}
    )


def problem(configuration: TrainingConfig) -> Problem:
    settings = configuration.training
    mirror = mirror_of(
        Network.initialise(configuration.network, seed=settings.seed),
        derivative=derivative(settings.derivative.name), trainable=settings.ever_trainable,
        potentials="last", dtype=getattr(torch, settings.dtype),
    )  # fmt: skip
    data = Splits(images(20, "train"), images(7, "validation"), images(5, "test"))
    return Problem(configuration, mirror, data)


def fit(descent: DescentProblem, out: Path | None = None, **options: Any) -> Trained:
    """Train on a problem, in place of a run in the folder unless it is resumed."""
    return run(lambda _: GradientTrainer(descent), out, overwrite=True, **options)


def main(out: str, batches: str, options: str = "{}") -> None:
    configuration = config(**json.loads(options))
    left = int(batches)

    def kill(_: Report) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    resume = (Path(out) / "config.toml").exists()
    fit(problem(configuration), Path(out), resume=resume, progress=kill)


if __name__ == "__main__":
    main(*sys.argv[1:])
