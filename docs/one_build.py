"""Simulate many networks in one build, and compare many neuron models with Brian2 that way.

`make_parity.py` and tests use it: one project compiles far sooner than a project per network.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from brian2.utils.logger import catch_logs
from numpy.typing import ArrayLike

from bioae import Backend, Network, NeuronModel, build, simulate
from bioae.datasets import Images
from bioae.simulation.backend import STANDALONE, Target
from bioae.simulation.targets.activation import activated, check_target
from bioae.simulation.targets.compiling import compile_project
from bioae.trainers.parity import Parity, parity_network
from bioae.trainers.parity.comparison import recorded, report

__all__ = ["Simulation", "simulate_several", "survey"]


@dataclass(frozen=True, eq=False)
class Simulation:
    """Arguments of `bioae.simulate`, by the same names."""

    network: Network
    images: Images | ArrayLike
    seed: int = 0
    record: Collection[str] = ()


def simulate_several(
    simulations: Sequence[Simulation], *, target: Target = "cpp_standalone"
) -> list[xr.DataTree]:
    """Run networks one after another, each on all of its images at once, in float64.

    Parameters
    ----------
    simulations
        The networks with their images.
    target
        The Brian2 target.

    Returns
    -------
    list of xarray.DataTree
        The results as `bioae.simulate` returns them, in order.
    """
    check_target(target)
    if target not in STANDALONE:
        return [
            simulate(each.network, each.images, Backend(target, record=each.record), seed=each.seed)
            for each in simulations
        ]
    for each in simulations:  # lowered before the target's device is active
        _ = [(placed.program, placed.readout_program) for placed in each.network.config.placed]
    with (
        activated(target) as device,
        catch_logs(),
        tempfile.TemporaryDirectory(prefix="bioae-", ignore_cleanup_errors=True) as folder,
    ):
        networks = []
        for number, each in enumerate(simulations):
            count = len(each.images)  # type: ignore[arg-type]
            built = build(each.network, count, record=each.record, prefix=f"net{number}_")
            built.present(each.images, seed=each.seed)
            built.run()
            networks.append(built)
        compile_project(device, Path(folder))
        device.run(with_output=False)
        return [built.result() for built in networks]


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
