"""A training step, the same in bioae and in its peers: forward, backward and update."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from benchmarks.peers import PEERS, Outcome, build
from benchmarks.peers.common import SLOPE
from bioae.datasets import load
from bioae.networks import Network
from bioae.simulation.presentations import Presentations
from bioae.trainers import Backward, LayerOptions, NetworkMirror, derivative
from bioae.trainers.mirror.connections.functional import connect

OURS, CONVOLUTIONS = "bioae", "connections only"

#: Names of the steps; the last has no neurons, see `_connections`.
NAMES = (OURS, *PEERS, CONVOLUTIONS)

#: Of a penalty on the rates, as in training with regularisers.
_COEFFICIENT = 0.01

#: Runs a step, and returns the activity of the network.
Step = Callable[[], Outcome]


def step(name: str, network: Network, batch: int) -> Step:
    """Return a step of training.

    Parameters
    ----------
    name
        One of `NAMES`.
    network
        The network, in the paper's order.
    batch
        Number of the embedded digits per batch.
    """
    drive, images = driven(network, batch)
    if name == CONVOLUTIONS:
        return _connections(network, drive)
    run, weights = _network(name, network)
    optimiser = torch.optim.Adam(weights, lr=1e-6, fused=True)

    def train() -> Outcome:
        outcome = run(drive)
        errors = (outcome.reconstruction - images).square().flatten(1).sum(1)
        rates = (count.flatten(1) / len(drive) for count in outcome.counts.values())
        terms = [errors, *(_COEFFICIENT * rate.square().sum(1) for rate in rates)]
        optimiser.zero_grad()
        torch.stack(terms).sum(0).mean().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return outcome

    return train


def driven(network: Network, batch: int) -> tuple[Tensor, Tensor]:
    """Return the spikes of the input (time, example, channel, y, x), and its images."""
    digits = load("sample", "train", batch)
    drive = torch.from_numpy(Presentations.of(network.config, digits).drive())
    return drive, torch.tensor(digits.as_float(), dtype=torch.float32)


def _network(
    name: str, network: Network
) -> tuple[Callable[[Tensor], Outcome], Iterable[nn.Parameter]]:
    if name != OURS:
        peer = build(name, network)
        return peer, peer.parameters()
    options = LayerOptions(Backward(derivative("fast_sigmoid", slope=SLOPE)))
    mirror = NetworkMirror(network, options, compile=True)

    def run(drive: Tensor) -> Outcome:
        activity = mirror(drive)
        counts = {name: layer.counts for name, layer in activity.layers.items()}
        return Outcome(activity.reconstruction, counts)

    return run, mirror.parameters()


def _connections(network: Network, drive: Tensor) -> Step:
    """Return a step with only the connections in PyTorch, channels last: a bound for the peers.

    Forward, and backward to the weights and to all layers but the input.
    """
    layers, examples = [], drive.flatten(0, 1)
    for placed in network.config.placed:
        weight = torch.tensor(network.weights[f"{placed.name}.weight"], dtype=torch.float32)
        emitted = examples.new_zeros(len(examples), *placed.input_shape)
        if emitted.ndim == 4:
            emitted = emitted.contiguous(memory_format=torch.channels_last)
        if weight.ndim == 4:
            weight = weight.contiguous(memory_format=torch.channels_last)
        emitted.requires_grad_(placed.depth > 1)
        layers.append((placed.layer, emitted, weight.requires_grad_()))

    def train() -> Outcome:
        for layer, emitted, weight in layers:
            sums = connect(layer, emitted, weight)
            leaves = [each for each in (emitted, weight) if each.requires_grad]
            torch.autograd.grad(sums, leaves, torch.ones_like(sums))
        return Outcome(drive, {})

    return train
