"""The interface between workers and the network that they run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any

from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk

__all__ = ["Build", "Finished", "Runner"]


class Runner(ABC):
    """A built network that runs chunks; a run may be read in another process."""

    @abstractmethod
    def run(self, images: Presentations, part: slice) -> Any:
        """Run some presentations, and return the argument of `read`, small enough for a pipe.

        Raises
        ------
        TargetError
            If the run fails.
        """

    @abstractmethod
    def read(self, ran: Any, part: slice) -> Chunk:
        """Return the network's activity in a run, once.

        Raises
        ------
        TargetError
            If the files of the run are incomplete.
        """

    def __call__(self, images: Presentations, part: slice) -> Chunk:
        """Run some presentations, and return the network's activity."""
        return self.read(self.run(images, part), part)


#: Builds a network, and runs chunks on it within a block; sent to the workers of a cluster.
Build = Callable[[], AbstractContextManager[Runner]]

#: Parts of the images and the network's activity, as they are finished.
Finished = Generator[tuple[slice, Chunk], None, None]
