"""The interface of engines: what a target does to run a network, and to let it learn.

An engine is derived from `Engine`: that of Brian2's targets is in
`bioae.simulation.workers.job`, that of PyTorch in `bioae.trainers.mirror.engine`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bioae.networks.network import Network
from bioae.simulation.backend import Backend
from bioae.simulation.runner import Learner, Runner, Updates

__all__ = ["Engine"]


@dataclass(frozen=True, eq=False)
class Engine(ABC):
    """A network and the target that runs it.

    Attributes
    ----------
    network
        The network.
    backend
        The target and its options.
    """

    network: Network
    backend: Backend

    @abstractmethod
    def check(self) -> None:
        """Check that this machine meets the target's requirements.

        Raises
        ------
        TargetError
            If it does not.
        """

    @property
    @abstractmethod
    def chunk_size(self) -> int:
        """The number of presentations of a run that bounds memory."""

    @abstractmethod
    def runner(self, presentations: int) -> AbstractContextManager[Runner]:
        """Build the network, and run chunks of at most a number of presentations within a block.

        Raises
        ------
        TargetError
            If the target's compiler is missing or fails, or the run does.
        """

    @abstractmethod
    def learner(self, presentations: int, updates: Updates) -> AbstractContextManager[Learner]:
        """Build the network to learn, as `runner` does, within a block.

        The network is one that `bioae.simulation.learned.learner` has prepared.

        Parameters
        ----------
        presentations
            The most presentations of a call.
        updates
            The batches and the optimiser.

        Raises
        ------
        NetworkError
            If the target does not learn this way.
        TargetError
            As `runner`.
        """
