"""A run of a network on images as work that is shared out: what to build, and who runs it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from bioae.networks.network import Network
from bioae.simulation.objects.pathways import Connectivity
from bioae.simulation.objects.reading import Chunk
from bioae.simulation.presentations import Presentations
from bioae.simulation.targets.activation import Dtype, Target
from bioae.simulation.workers.chunk_runners import Runner, runner
from bioae.simulation.workers.processes import shared

__all__ = ["Crew", "Finished", "Job", "Processes"]

#: Parts of the images, with what the network did, as they are done.
Finished = Generator[tuple[slice, Chunk], None, None]


@dataclass(frozen=True, eq=False)
class Job:
    """What every worker builds once: the arguments of `chunk_runners.runner`."""

    network: Network
    presentations: int
    target: Target
    dtype: Dtype
    record: tuple[str, ...] = ()
    connectivity: Connectivity = "shared"

    def runner(self) -> AbstractContextManager[Runner]:
        """Build the network, and return what runs chunks on it within a block."""
        return runner(
            self.network,
            presentations=self.presentations,
            target=self.target,
            dtype=self.dtype,
            record=self.record,
            connectivity=self.connectivity,
        )


class Crew(Protocol):
    """Those who run chunks."""

    @property
    def workers(self) -> int:
        """How many work at a time."""

    def run(self, job: Job, shown: Presentations, parts: Sequence[slice]) -> Finished:
        """Yield each part of the images with what the network did, as they are done."""


@dataclass(frozen=True)
class Processes:
    """Processes of this machine, which share one build.

    Attributes
    ----------
    workers
        How many; 1 is this one.
    """

    workers: int

    def run(self, job: Job, shown: Presentations, parts: Sequence[slice]) -> Finished:
        """Yield each part of the images with what the network did, as they are done."""
        if not parts:
            return
        with job.runner() as runner:
            for place, ran in shared(partial(runner.run, shown), parts, self.workers):
                yield parts[place], runner.read(ran, parts[place])
