"""The interface of training procedures: by gradients, by rules, or by a fit in one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from bioae.fields import Table
from bioae.runs.assessment import Assessment
from bioae.runs.checkpoint import Arrays
from bioae.runs.config import RunConfig
from bioae.runs.splits import Splits


@dataclass(frozen=True)
class Report:
    """Progress of a run after an update.

    Attributes
    ----------
    epoch, epochs
        The current epoch, from 1, and their number.
    done, total
        The presentations so far, and those of the whole run.
    loss
        The loss of the update, of a run by gradients.
    score
        The validation score of the last finished epoch, of a run by gradients.
    """

    epoch: int
    epochs: int
    done: int
    total: int
    loss: float | None = None
    score: float | None = None


Reporter: TypeAlias = Callable[[Report], None]


class Trainer(ABC):
    """Training procedure of a run, and its state.

    Attributes
    ----------
    kind
        Its name in checkpoints.
    parts
        The parts of the data that its state depends on.
    config
        The configuration.
    data
        The data to train on, and those on which the network is evaluated.
    at
        The position of the run.
    records
        The metrics so far, the lines of ``metrics.jsonl``.
    threads
        The number of threads that the result depends on, if it does.
    consistent
        Whether all of the state belongs together: false during an update.
    interval
        The seconds between two checkpoints; None: one after each report that is due.
    start, end
        The assessments of the network: of a run that was not resumed before the first report, and
        of any after `finish`.
    """

    kind: ClassVar[str]
    parts: ClassVar[Collection[str]] = ("train", "validation", "test")
    config: RunConfig
    data: Splits
    at: Table
    records: list[dict[str, Any]]
    threads: int | None = None
    consistent: bool = True
    interval: float | None = None
    start: Assessment | None = None
    end: Assessment | None = None

    @property
    @abstractmethod
    def free(self) -> Collection[str]:
        """The configuration keys that may change when a run is resumed."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """Return all arrays of the state, by a name such as ``weight/NAME``."""

    @abstractmethod
    def restore(self, arrays: Arrays, where: str) -> None:
        """Set the state from the arrays of the checkpoint `where`.

        `at`, `records` and `threads` are set already.

        Raises
        ------
        ArtefactError
            If it does not fit.
        NetworkError
            If the run has finished more than is requested.
        """

    @property
    @abstractmethod
    def presentations(self) -> tuple[int, int]:
        """The finished presentations, and those of the whole run."""

    def prepare(self, out: Path) -> None:
        """Write the files that resuming needs in addition to the checkpoint."""
        return

    def running(self) -> AbstractContextManager[None]:
        """Return the context in which the run takes place."""
        return nullcontext()

    @abstractmethod
    def train(self) -> Iterator[tuple[Report, bool]]:
        """Train to the end; after each update yield a report, and whether to store it.

        Raises
        ------
        NetworkError
            If the numbers are no longer finite.
        """

    @abstractmethod
    def finish(self) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """Select the network and test it.

        Returns
        -------
        tuple
            The trained network or fit, its metrics, and those of ``test.json``.
        """

    @abstractmethod
    def save(self, out: Path, result: Any, summary: Mapping[str, Any]) -> None:
        """Write the result of training, with its metrics, into the folder of the run."""
