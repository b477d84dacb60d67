"""The interface of engines: a target builds a network, which runs chunks or learns from them.

An engine is derived from `Engine`: that of Brian2's targets is in
`bioae.simulation.workers.job`, that of PyTorch in `bioae.trainers.mirror.engine`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from bioae.networks.network import Network
from bioae.networks.plasticity import PlasticState
from bioae.networks.teaching import Teaching
from bioae.simulation.backend import Backend
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk

if TYPE_CHECKING:
    from bioae.runs.tables import OptimiserSettings

Arrays = Mapping[str, NDArray[Any]]


class Runner(ABC):
    """A built network that runs chunks."""

    @abstractmethod
    def __call__(self, presented: Presentations, part: slice) -> Chunk:
        """Run some presentations, and return the network's activity.

        Raises a `TargetError` if the run fails, or its files are incomplete.
        """


class Learner(ABC):
    """A built network that learns."""

    @property
    @abstractmethod
    def state(self) -> PlasticState:
        """The learned state of the network."""

    @state.setter
    @abstractmethod
    def state(self, state: PlasticState) -> None: ...

    @property
    def moments(self) -> Arrays:
        """The state of the optimiser, by name; empty without one."""
        return {}

    @abstractmethod
    def present(self, presented: Presentations, part: slice, held: Arrays) -> Chunk:
        """Present a part of the examples, learn from it, and return the network's activity.

        `held` are the modulators of rules, (example) each, of all examples. Raises a NetworkError
        if weights grow without bounds, a TargetError if the run fails.
        """


@dataclass(frozen=True)
class Updates:
    """The updates of weights that learn by rules."""

    #: The number of presentations that learn at once, whose changes are averaged.
    batch_size: int = 1
    #: It takes the changes as its negative gradient; None: they are added.
    optimiser: OptimiserSettings | None = None
    #: The state of the optimiser, with which an earlier run ended.
    moments: Arrays = field(default_factory=dict)
    #: The normalisation of weights and the repetition of examples.
    teaching: Teaching = field(default_factory=Teaching)


#: Builds a network, and runs chunks on it within a block; sent to the workers of a cluster.
Build = Callable[[], AbstractContextManager[Runner]]

#: Parts of the presentations and the network's activity, as they are finished.
Finished = Generator[tuple[slice, Chunk], None, None]


@dataclass(frozen=True, eq=False)
class Engine(ABC):
    """A network, and the target that runs it with its options."""

    network: Network
    backend: Backend
    #: The state in which earlier presentations ended, by name, where it carries over.
    carried: Arrays = field(default_factory=dict)

    @abstractmethod
    def check(self) -> None:
        """Check that this machine meets the target's requirements, or raise a `TargetError`."""

    @property
    @abstractmethod
    def chunk_size(self) -> int:
        """The number of presentations of a run that bounds memory."""

    @abstractmethod
    def runner(self, presentations: int) -> AbstractContextManager[Runner]:
        """Build the network, and run chunks of at most a number of presentations within a block.

        Raises a TargetError if the target's compiler is missing or fails, or the run does.
        """

    @abstractmethod
    def learner(self, presentations: int, updates: Updates) -> AbstractContextManager[Learner]:
        """Build the network to learn, as `runner` does, within a block.

        `bioae.networks.network.Network.learner` has prepared the network. A call has at most a
        number of presentations. Raises a NetworkError if the target does not learn this way.
        """


#: Returns the engine that runs a network on a target, see `bioae.api.engine_of`.
Engines = Callable[[Network, Backend], Engine]
