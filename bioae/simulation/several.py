"""Run several networks on a target in one build."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr
from brian2.utils.logger import catch_logs
from numpy.typing import ArrayLike

from bioae.datasets import Images
from bioae.networks.network import Network
from bioae.simulation.objects.build import build
from bioae.simulation.presentations import Presentations
from bioae.simulation.run import simulate
from bioae.simulation.targets.activation import STANDALONE, Target, activated, check_target
from bioae.simulation.targets.compiling import compile_project

__all__ = ["Simulation", "simulate_several"]


@dataclass(frozen=True, eq=False)
class Simulation:
    """What to run: the arguments of `bioae.simulation.simulate` by the same names."""

    network: Network
    images: Images | ArrayLike
    seed: int = 0
    record: Collection[str] = ()


def simulate_several(
    simulations: Sequence[Simulation], *, target: Target = "cpp_standalone"
) -> list[xr.DataTree]:
    """Run networks one after another, each on all of its images at once, in float64.

    Compiled code is built once for all of them: far sooner than a project for each.

    Parameters
    ----------
    simulations
        What to run.
    target
        Where.

    Returns
    -------
    list of xarray.DataTree
        As `bioae.simulation.simulate` returns them, in order.
    """
    check_target(target)
    if target not in STANDALONE:
        return [
            simulate(each.network, each.images, target=target, seed=each.seed, record=each.record)
            for each in simulations
        ]
    for each in simulations:  # lowered before the target's device is active
        _ = [(placed.program, placed.readout_program) for placed in each.network.config.placed]
    with (
        activated(target) as device,
        catch_logs(),
        tempfile.TemporaryDirectory(prefix="bioae-", ignore_cleanup_errors=True) as folder,
    ):
        built = []
        for number, each in enumerate(simulations):
            shown = Presentations.of(each.network.config, each.images, seed=each.seed)
            network = build(each.network, len(shown), record=each.record, prefix=f"net{number}_")
            network.present(each.images, seed=each.seed)
            network.run()
            built.append(network)
        compile_project(device, Path(folder))
        device.run(with_output=False)
        return [network.result() for network in built]
