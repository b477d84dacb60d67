"""Compare many neuron models with Brian2, in one build where the target is compiled."""

from __future__ import annotations

from collections.abc import Iterable

from bioae.equations.model import NeuronModel
from bioae.simulation.several import Simulation, simulate_several
from bioae.simulation.targets.activation import Target
from bioae.trainers.parity.comparison import recorded, report
from bioae.trainers.parity.networks import parity_network
from bioae.trainers.parity.report import Parity

__all__ = ["survey"]


def survey(
    models: Iterable[NeuronModel],
    *,
    target: Target = "numpy",
    neurons: int = 100,
    steps: int = 200,
    examples: int = 4,
    seed: int = 0,
    perturb: bool = False,
) -> list[Parity]:
    """Compare the two sides on a small random network of each neuron model.

    Parameters
    ----------
    models
        The neuron models.
    target, neurons, steps, examples, seed, perturb
        See `bioae.trainers.parity.model_parity`.

    Returns
    -------
    list of Parity
        In the models' order.

    Raises
    ------
    ModelError
        If no input makes half of the neurons of a model fire.
    """
    models = list(models)
    networks = [
        parity_network(model, neurons=neurons, steps=steps, examples=examples, seed=seed)
        for model in models
    ]
    results = simulate_several(
        [Simulation(n, images, seed, recorded(n)) for n, images in networks], target=target
    )
    return [
        report(network, images, result, name=model.name, seed=seed, perturb=perturb)
        for model, (network, images), result in zip(models, networks, results, strict=True)
    ]
