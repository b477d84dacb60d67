"""Run chunks of presentations on a target: one build, many runs."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from brian2.utils.logger import catch_logs

from bioae.errors import TargetError
from bioae.networks.network import Network, NetworkConfig
from bioae.simulation.brian2_internals.groups import uncompiled_objects
from bioae.simulation.brian2_internals.standalone import read_results_from
from bioae.simulation.objects.brian_network import BrianNetwork
from bioae.simulation.objects.build import build
from bioae.simulation.objects.pathways import Connectivity
from bioae.simulation.objects.reading import Chunk, read
from bioae.simulation.presentations import Presentations
from bioae.simulation.targets.activation import (
    STANDALONE,
    Dtype,
    Target,
    activated,
    check_target,
    float32_allowed,
)
from bioae.simulation.targets.compiling import compile_project

__all__ = ["Runner", "chunk_size", "runner"]


class Runner(ABC):
    """A network that is built, and runs chunks: what one process ran, another may read."""

    @abstractmethod
    def run(self, shown: Presentations, part: slice) -> Any:
        """Run some presentations, and return what `read` takes, which a pipe carries at once.

        Raises
        ------
        TargetError
            If the run fails.
        """

    @abstractmethod
    def read(self, ran: Any, part: slice) -> Chunk:
        """Return what the network did, once.

        Raises
        ------
        TargetError
            If what the run wrote is incomplete.
        """

    def __call__(self, shown: Presentations, part: slice) -> Chunk:
        """Run some presentations, and return what the network did."""
        return self.read(self.run(shown, part), part)


_CHUNK_BYTES = 64 * 2**20

#: How often neurons spike in a step, where that is not known beforehand: seldom more.
_DENSITY = 0.1


def chunk_size(config: NetworkConfig, record: Collection[str]) -> int:
    """Return how many presentations fit into the memory that a chunk may take.

    A pixel takes a number, and so does what is decoded of it; a spike half of one, a trace one for
    each step.
    """
    each_step = 0.0
    for placed in config.placed:
        recorded = placed.program.states.keys() & set(record)
        each_step += placed.size * (len(recorded) + _DENSITY / 2)
    numbers = 2 * int(np.prod(config.input_shape)) + each_step * config.timing.period
    return max(1, int(_CHUNK_BYTES / (8 * numbers)))


@contextmanager
def runner(
    network: Network,
    *,
    presentations: int,
    target: Target,
    dtype: Dtype,
    record: Collection[str] = (),
    connectivity: Connectivity = "shared",
) -> Iterator[Runner]:
    """Build a network once, and yield what runs chunks on it.

    Parameters
    ----------
    network
        The network.
    presentations
        The most images of a chunk; smaller ones are padded.
    target, dtype
        Where it runs, and the type of state variables.
    record
        Variables to record.
    connectivity
        As of `bioae.simulation.build`.

    Raises
    ------
    TargetError
        If the target's compiler is missing or fails, or the run does.
    """
    check_target(target)
    for placed in network.config.placed:  # lowered before the target's device is active
        _ = placed.program, placed.readout_program
    with activated(target, dtype=dtype) as device, catch_logs():
        if target in STANDALONE:
            # Sizes stand in the sources: with room for any chunk they are the same for every one.
            room = max(presentations, chunk_size(network.config, record))
            # Spikes lie in a GPU's memory, where Brian2's own monitors know how to collect them.
            compact = target != "cuda_standalone"
            built = build(network, room, record=record, connectivity=connectivity, compact=compact)
            with tempfile.TemporaryDirectory(prefix="bioae-", ignore_cleanup_errors=True) as folder:
                built.run(presentations)
                compile_project(device, Path(folder))
                yield _Standalone(built, device, Path(folder))
        else:
            built = build(
                network, presentations, record=record, connectivity=connectivity, compact=True
            )
            built.network.store()
            yield _Runtime(built)


@dataclass(frozen=True, eq=False)
class _Runtime(Runner):
    built: BrianNetwork

    def run(self, shown: Presentations, part: slice) -> Chunk:
        self.built.network.restore()
        self.built.show(shown, part)
        self.built.run()
        _check_compiled(self.built)
        return read(self.built, part.stop - part.start)

    def read(self, ran: Chunk, part: slice) -> Chunk:
        return ran


def _check_compiled(built: BrianNetwork) -> None:
    """Refuse results to which a code object that Cython could not compile contributed nothing."""
    for name in uncompiled_objects(built.network):
        raise TargetError(
            "a part of the network could not be compiled, and Brian2 left it out",
            where=name,
            mend="Use --target numpy",
        )


@dataclass(frozen=True, eq=False)
class _Standalone(Runner):
    """A compiled program, which leaves what it recorded in a folder."""

    built: BrianNetwork
    device: Any
    folder: Path

    def run(self, shown: Presentations, part: slice) -> str:
        # Files of their own: several processes may run the same binary at once.
        results = f"results-{part.start}-{os.getpid()}"
        with self._failing(), float32_allowed():
            self.device.run(
                run_args=self._arguments(shown, part), results_directory=results, with_output=False
            )
        return results

    def read(self, ran: str, part: slice) -> Chunk:
        results = self.folder / ran
        read_results_from(self.device, results)
        with self._failing():
            chunk = read(self.built, part.stop - part.start)
        shutil.rmtree(results, ignore_errors=True)
        return chunk

    def _arguments(self, shown: Presentations, part: slice) -> list[str]:
        arguments = []
        for number, (name, values) in enumerate(self.built.arrays(shown, part).items()):
            file = f"argument{number}-{os.getpid()}"  # CUDA's knows lower case alone
            values.tofile(self.folder / file)
            if name == f"{self.built.held.name}.values":
                # All that follows is 0.
                os.truncate(self.folder / file, self.built.held.values.nbytes)
            arguments.append(f"{name}={file}")
        return arguments

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        # A full disk cuts the compiled network's files short, which Brian2 does not look for.
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            raise TargetError(
                f"the compiled network failed, or its files could not be written: {error}",
                where=str(self.folder),
                mend="Free some space there or set TMPDIR to another folder; or run it with "
                "--target numpy",
            ) from error
