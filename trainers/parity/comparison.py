"""Run a network on both sides, and report how far they agree."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bioae.analysis import differing_spikes, is_alive, layer_names
from bioae.datasets import Images
from bioae.equations.model import NeuronModel
from bioae.networks.network import Network
from bioae.simulation.backend import Backend, Target
from bioae.simulation.presentations import Presentations
from bioae.simulation.run import simulate
from bioae.trainers.mirror.simulate import simulate_mirror
from bioae.trainers.parity.chaos import self_agreement
from bioae.trainers.parity.networks import GRID_BITS, parity_network
from bioae.trainers.parity.one_step import one_step
from bioae.trainers.parity.report import AGREEMENT, Parity
from bioae.trainers.parity.silent import silent_parity

__all__ = ["compare", "model_parity", "recorded", "report"]


def model_parity(
    model: NeuronModel,
    *,
    target: Target = "numpy",
    neurons: int = 100,
    steps: int = 200,
    examples: int = 4,
    seed: int = 0,
    perturb: bool = False,
) -> Parity:
    """Compare the two sides on a small random network of a neuron model.

    Of a model that never fires the states are compared instead of the spikes.

    Parameters
    ----------
    model
        The neuron model.
    target
        Where Brian2 runs it.
    neurons
        Neurons of both layers together.
    steps, examples
        Steps of a presentation, and how many there are.
    seed
        Seeds weights and input.
    perturb
        See `compare`.

    Raises
    ------
    ModelError
        If no input makes half of the neurons fire.
    """
    if model.threshold is None:
        return silent_parity(
            model, target=target, neurons=neurons, steps=steps, examples=examples, seed=seed
        )
    network, images = parity_network(
        model, neurons=neurons, steps=steps, examples=examples, seed=seed
    )
    return compare(network, images, name=model.name, target=target, seed=seed, perturb=perturb)


def compare(
    network: Network,
    images: Images | ArrayLike,
    *,
    name: str,
    target: Target = "numpy",
    seed: int = 0,
    perturb: bool = False,
) -> Parity:
    """Compare the two sides of a network on images, in float64.

    Parameters
    ----------
    network
        The network.
    images
        What it is shown, as for `bioae.simulation.simulate`.
    name
        What the report calls the network.
    target
        Where Brian2 runs it.
    seed
        Seeds random input.
    perturb
        Whether Brian2 is compared with itself, perturbed, in any case; else only where the two
        sides do not agree, and need not.
    """
    brian = simulate(network, images, Backend(target, record=recorded(network)), seed=seed)
    return report(network, images, brian, name=name, seed=seed, perturb=perturb)


def recorded(network: Network) -> set[str]:
    """Return the names of all states, which a comparison needs to be recorded."""
    return {name for placed in network.config.placed for name in placed.program.states}


def report(
    network: Network,
    images: Images | ArrayLike,
    brian: xr.DataTree,
    *,
    name: str,
    seed: int = 0,
    perturb: bool = False,
) -> Parity:
    """Compare the mirror with what Brian2 made of a network, every state recorded.

    Parameters
    ----------
    network, images, name, seed, perturb
        See `compare`.
    brian
        Brian2's result.
    """
    mirror = simulate_mirror(network, images, seed=seed, record=recorded(network))
    spikes = differing_spikes(brian, mirror).sum("layer")
    differing, either = int(spikes["differing"]), int(spikes["differing"] + spikes["common"])
    agreement = int(spikes["common"]) / either if either else 1.0
    shown = Presentations.of(network.config, images, seed=seed)
    restarted = one_step(network, shown, brian)
    exact = _exact(network)
    asked = perturb or (not exact and agreement < AGREEMENT)
    return Parity(
        model=name,
        target=brian.attrs["target"],
        steps=network.config.steps,
        neurons=sum(placed.size for placed in network.config.placed),
        examples=len(shown),
        spikes=int(spikes["spikes_a"]),
        active_fraction=_active_fraction(brian),
        differing=differing,
        identical=1.0 - differing / int(spikes["compared"]),
        spike_agreement=agreement,
        one_step=restarted.agreement,
        excused=restarted.excused,
        max_state_error=_state_error(network, brian, mirror),
        exact=exact,
        self_agreement=self_agreement(network, images, seed=seed) if asked else None,
    )


def _active_fraction(result: xr.DataTree) -> float:
    alive = [is_alive(result, layer).to_numpy() for layer in layer_names(result)]
    return float(np.concatenate(alive).mean())


def _exact(network: Network) -> bool:
    synaptic = {n for placed in network.config.placed for n in placed.weight_shapes}
    grid = 2.0**GRID_BITS
    on_grid = all(
        (network.weights[n] * grid == np.rint(network.weights[n] * grid)).all() for n in synaptic
    )
    return on_grid and all(placed.program.reproducible for placed in network.config.placed)


def _state_error(network: Network, brian: xr.DataTree, mirror: xr.DataTree) -> float:
    worst = 0.0
    for placed in network.config.placed:
        a, b = brian[f"/layers/{placed.name}"], mirror[f"/layers/{placed.name}"]
        for name in placed.program.states:
            difference = a[f"state_{name}"].astype(float) - b[f"state_{name}"].astype(float)
            worst = max(worst, float(np.abs(difference.values).max()))
    return worst
