"""What is measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.starting import starts
from benchmarks.timing import Row, measure
from bioae.datasets import load
from bioae.network import Network, NetworkConfig
from bioae.simulation.presentations import Presentations
from bioae.simulation.runners import runner
from bioae.simulation.targets import Target
from bioae.trainers import NetworkMirror, derivative

__all__ = ["rows"]

_BATCH = 64
_MILLI = 1e-3


def rows() -> Iterator[Row]:
    """Yield every figure, as it is measured."""
    yield from _start_up()
    yield from starts()
    network = Network.initialise(NetworkConfig.preset("strided")).quantised()
    yield from _training(network)
    for target in ("numpy", "cpp_standalone"):
        yield from _simulation(network, target)


def _start_up() -> Iterator[Row]:
    for what, arguments in (
        ("bioae --help", ["-m", "bioae", "--help"]),
        ("import bioae.simulation.run", ["-c", "import bioae.simulation.run"]),
        ("import bioae.trainers.training", ["-c", "import bioae.trainers.training"]),
    ):
        command = [sys.executable, *arguments]
        yield measure(what, partial(subprocess.run, command, check=True, capture_output=True))


def _training(network: Network) -> Iterator[Row]:
    digits = load("sample", "train", _BATCH)
    images = torch.tensor(digits.images, dtype=torch.float32)
    drive = torch.from_numpy(Presentations.of(network.config, digits).drive())
    for rule in ("membrane", "fast_sigmoid"):
        mirror = NetworkMirror(network, derivative=derivative(rule), potentials="all")

        def step(mirror: NetworkMirror = mirror) -> None:
            mirror.zero_grad()
            activity = mirror(drive)
            loss = (activity.reconstruction - images).square().sum() / _BATCH
            loss = loss + sum(a.spikes.mean() for a in activity.layers.values())
            loss.backward()

        what = f"training, forward and backward, {rule}, batch {_BATCH}, T = {network.config.steps}"
        yield measure(what, step, unit="ms an image", per=_BATCH * _MILLI)


def _simulation(network: Network, target: Target) -> Iterator[Row]:
    digits = load("sample", "test", 100)
    shown = Presentations.of(network.config, digits)
    part = slice(0, len(digits))
    with runner(network, presentations=len(digits), target=target, dtype="float64") as run:
        what = f"{target}: {len(digits)} digits, strided network, float64"
        per = len(digits) * _MILLI
        yield measure(what, lambda: run(shown, part), unit="ms an image", per=per)
        spikes = sum(len(layer.neuron) for layer in run(shown, part).layers)
    neurons = sum(placed.size for placed in network.config.placed)
    density = spikes / (neurons * len(digits) * network.config.steps)
    yield Row(f"{target}: spikes per neuron and step", "1", density, density, density, 1)
