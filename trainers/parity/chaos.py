"""Whether rounding is amplified: Brian2 against itself, perturbed in the last bits."""

from __future__ import annotations

from numpy.typing import ArrayLike

from bioae.analysis import differing_spikes
from bioae.datasets import Images
from bioae.networks.network import Network, PlacedLayer
from bioae.random import stream
from bioae.simulation.run import simulate

__all__ = ["PERTURBATION", "perturbed", "self_agreement"]

#: The relative size of the perturbation: a few units in the last place of a float64.
PERTURBATION = 1e-15

_STREAM = 2**20


def perturbed(network: Network, *, seed: int = 0) -> Network:
    """Return a network whose weights and initial states are moved by `PERTURBATION`.

    Weights become larger or smaller, at random; initial values that the models give become larger.
    """
    weights = dict(network.weights)
    for number, placed in enumerate(network.config.placed):
        for order, name in enumerate(placed.weight_shapes):
            generator = stream(seed, _STREAM + 2 * number + order)
            signs = generator.choice([-1.0, 1.0], weights[name].shape)
            weights[name] = weights[name] * (1.0 + PERTURBATION * signs)
    config = network.config.self_contained()
    starts = {placed.model.name: _perturbed_start(placed) for placed in config.placed}
    neurons = {
        name: {**fields, "initial": {**fields.get("initial", {}), **starts.get(name, {})}}
        for name, fields in config.neurons.items()
    }
    return Network(config.varied(neurons=neurons), weights)


def _perturbed_start(placed: PlacedLayer) -> dict[str, str]:
    return {
        name: f"({text})*(1 + {PERTURBATION!r})"
        for name, text in placed.model.initial_state.items()
        if placed.program.states[name].dtype == "float"
    }


def self_agreement(network: Network, images: Images | ArrayLike, *, seed: int = 0) -> float:
    """Return the spikes that Brian2 has with and without a perturbation, of those in either.

    Where this is low, no other implementation can be asked to agree: the dynamics are chaotic.

    Parameters
    ----------
    network, images, seed
        As for `bioae.trainers.parity.compare`.
    """
    plain, other = (
        simulate(each, images, "numpy", seed=seed)
        for each in (network, perturbed(network, seed=seed))
    )
    spikes = differing_spikes(plain, other).sum("layer")
    either = int(spikes["differing"] + spikes["common"])
    return int(spikes["common"]) / either if either else 1.0
