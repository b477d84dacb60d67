"""Run chunks in processes of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bioae.processes import shared
from bioae.simulation.presentations import Presentations
from bioae.simulation.runner import Build, Finished

__all__ = ["run_in_processes"]


def run_in_processes(
    build: Build, images: Presentations, parts: Sequence[slice], workers: int
) -> Finished:
    """Yield parts of the images and the network's activity, as they are finished.

    Parameters
    ----------
    build
        Builds the network, once for all processes.
    images, parts
        The images, and the parts to run.
    workers
        The number of processes; 1 is this one.

    Raises
    ------
    TargetError
        As `bioae.processes.shared`; or if the network cannot be built or run.
    """
    if not parts:
        return
    with build() as runner:
        for place, ran in shared(partial(runner.run, images), parts, workers):
            yield parts[place], runner.read(ran, parts[place])
