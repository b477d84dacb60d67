"""Run chunks of presentations on a target: one build, many runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from brian2.utils.logger import catch_logs

from bioae.errors import TargetError
from bioae.network import Network, NetworkConfig
from bioae.simulation.brian_network import BrianNetwork
from bioae.simulation.compiling import compile_project
from bioae.simulation.objects import build
from bioae.simulation.pathways import Connectivity
from bioae.simulation.presentations import Presentations
from bioae.simulation.reading import Chunk, read
from bioae.simulation.targets import (
    STANDALONE,
    Dtype,
    Target,
    activated,
    check_target,
    float32_allowed,
)

__all__ = ["RunChunk", "chunk_size", "runner"]

RunChunk = Callable[[Presentations, slice], Chunk]

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
) -> Iterator[RunChunk]:
    """Build a network once, and yield a function that runs chunks on it.

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
                yield _standalone(built, device, Path(folder))
        else:
            built = build(
                network, presentations, record=record, connectivity=connectivity, compact=True
            )
            built.network.store()
            yield _runtime(built)


def _runtime(built: BrianNetwork) -> RunChunk:
    def run(presentations: Presentations, part: slice) -> Chunk:
        built.network.restore()
        built.show(presentations, part)
        built.run()
        _check_compiled(built)
        return read(built, part.stop - part.start)

    return run


def _check_compiled(built: BrianNetwork) -> None:
    """Refuse results to which a code object that Cython could not compile contributed nothing."""
    for part in built.network.sorted_objects:
        for code in getattr(part, "code_objects", ()):
            for block, compiled in code.compiled_code.items():
                text = getattr(code.code, block, "").strip()
                if text and "EMPTY_CODE_BLOCK" not in text and compiled is None:
                    raise TargetError(
                        "a part of the network could not be compiled, and Brian2 left it out",
                        where=part.name,
                        mend="Use --target numpy",
                    )


def _standalone(built: BrianNetwork, device: Any, folder: Path) -> RunChunk:
    def run(presentations: Presentations, part: slice) -> Chunk:
        try:
            arguments = []
            arrays = built.arrays(presentations, part)
            for number, (name, values) in enumerate(arrays.items()):
                # Files of their own: several processes may run the same binary at once.
                file = f"argument{number}-{os.getpid()}"  # CUDA's knows lower case alone
                values.tofile(folder / file)
                if name == f"{built.held.name}.values":
                    os.truncate(folder / file, built.held.values.nbytes)  # all that follows is 0
                arguments.append(f"{name}={file}")
            with float32_allowed():
                device.run(
                    run_args=arguments,
                    results_directory=f"results-{os.getpid()}",
                    with_output=False,
                )
            return read(built, part.stop - part.start)
        # A full disk cuts the compiled network's files short, which Brian2 does not look for.
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            raise TargetError(
                f"the compiled network failed, or its files could not be written: {error}",
                where=str(folder),
                mend="Free some space there or set TMPDIR to another folder; or run it with "
                "--target numpy",
            ) from error

    return run
