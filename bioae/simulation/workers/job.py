"""The engine of Brian2's targets: one build, many runs."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Group, second
from brian2.utils.logger import catch_logs
from numpy.typing import NDArray

from bioae.errors import NetworkError, TargetError
from bioae.networks.config import NetworkConfig
from bioae.networks.plasticity import PlasticState
from bioae.networks.teaching import Teaching
from bioae.progress import activity, ahead
from bioae.simulation.backend import STANDALONE, recorded
from bioae.simulation.brian2_internals.groups import float32_allowed, uncompiled_objects
from bioae.simulation.engine import Engine, Learner, Runner, Updates
from bioae.simulation.objects.brian_network import BrianNetwork
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.targets.activation import activated, check_target
from bioae.simulation.targets.compiling import compile_project

_CHUNK_BYTES = 64 * 2**20

#: Between two reports of a run to the bar.
_REPORT_SECONDS = 0.25

#: Spikes per neuron and step, where that is unknown beforehand: networks seldom exceed it.
_DENSITY = 0.1


def chunk_size(config: NetworkConfig, record: Collection[str]) -> int:
    """Return the number of presentations that fit into the memory of a chunk.

    An input neuron takes one number, or one per step if its input varies in time, and an output
    another; a spike takes half a number, and a trace one per step, as does a potential that is
    decoded from every step.
    """
    each_step = sum(
        placed.size * (len(placed.program.states.keys() & set(record)) + _DENSITY / 2)
        for placed in config.placed
    )
    if config.decoder.reads_potential and config.decoder.collects is None:
        each_step += config.placed[-1].size
    period = config.timing.period
    held = math.prod(config.encoded_shape) * (period if config.in_time else 1)
    numbers = held + math.prod(config.output_shape) + each_step * period
    return max(1, int(_CHUNK_BYTES / (8 * numbers)))


@dataclass(frozen=True, eq=False)
class Brian2Engine(Engine):
    """A network on a target of Brian2; every worker builds it once."""

    def check(self) -> None:
        """Check that the target's compiler is there."""
        check_target(self.backend.target)

    @property
    def chunk_size(self) -> int:
        """The number of presentations of a run that bounds memory."""
        return chunk_size(self.network.config, self.backend.record)

    @contextmanager
    def runner(
        self, presentations: int, *, learning: bool = False, teaching: Teaching | None = None
    ) -> Iterator[BuiltRunner]:
        """Build the network, and run chunks on it within a block; smaller chunks are padded.

        If the network learns, chunks run one after another, in one process: each begins with the
        weights with which the one before it ended.
        """
        backend = self.backend
        check_target(backend.target)
        if backend.target == "cuda_standalone" and self.network.config.carry_over:
            raise TargetError(
                "state does not carry over on CUDA", where="carry_over",
                hint="Use --target cpp_standalone",
            )  # fmt: skip
        with activity("building"):
            for placed in self.network.config.placed:  # before the target's device is active
                _ = placed.program, placed.readout_program
        with activated(backend.target, dtype=backend.dtype) as device, catch_logs():
            if backend.target not in STANDALONE:
                built = self._build(presentations, learning, teaching)
                built.network.store()
                yield _Runtime(built)
                return
            # Array sizes are in the sources: with room for any chunk all chunks share one build.
            room = max(presentations, self.chunk_size)
            # Spikes are in the GPU's memory; only Brian2's monitors collect them from there.
            built = self._build(
                room, learning, teaching, compact=backend.target != "cuda_standalone"
            )
            with tempfile.TemporaryDirectory(prefix="bioae-", ignore_cleanup_errors=True) as folder:
                with activity("building"):
                    built.run(presentations)
                    compile_project(device, Path(folder))
                yield _Standalone(built, device, Path(folder))

    @contextmanager
    def learner(self, presentations: int, updates: Updates) -> Iterator[Learner]:
        """Build the network to learn, presentation after presentation, within a block."""
        if self.backend.target == "cuda_standalone":
            raise TargetError(
                "networks do not learn on CUDA", where="cuda_standalone",
                hint="Use --target cpp_standalone",
            )  # fmt: skip
        several = updates.batch_size > 1
        if several or updates.optimiser is not None:
            raise NetworkError(
                "in Brian2 presentations learn one after another, by the statements of the rule",
                where=self.backend.target, expected="a batch size of 1 and no optimiser",
                found=f"a batch size of {updates.batch_size}" if several else "an optimiser",
                hint='Use the target "torch"',
            )  # fmt: skip
        with self.runner(presentations, learning=True, teaching=updates.teaching) as runner:
            yield _Brian2Learner(runner)

    def _build(
        self,
        presentations: int,
        learning: bool,
        teaching: Teaching | None,
        *,
        compact: bool = True,
    ) -> BrianNetwork:
        backend = self.backend
        with activity("building"):
            record = recorded(backend.record, self.network.config.placed)
            built = BrianNetwork(
                self.network, presentations, record=record,
                connectivity=backend.connectivity, compact=compact, learning=learning,
                teaching=teaching,
            )  # fmt: skip
            built.carried |= self.carried
            return built


class _Brian2Learner(Learner):
    def __init__(self, runner: BuiltRunner) -> None:
        self._runner = runner

    @property
    def state(self) -> PlasticState:
        return self._runner.built.state.copy()

    @state.setter
    def state(self, state: PlasticState) -> None:
        self._runner.built.state = state

    def present(
        self, presented: Presentations, part: slice, held: Mapping[str, NDArray[np.float64]]
    ) -> Chunk:
        self._runner.held.update(held)
        activity = self._runner(presented, part)
        self._runner.built.state.check_range()
        return activity


@dataclass(frozen=True, eq=False)
class BuiltRunner(Runner):
    """A network that is built, and the modulators of its learning rules (example) by name."""

    built: BrianNetwork
    held: dict[str, NDArray[np.float64]] = field(default_factory=dict, kw_only=True)

    def _starts(self, part: slice) -> Iterator[tuple[Group, str, NDArray[Any]]]:
        """Yield the values of a chunk's start: groups, their variables, and the values."""
        held = {key: numbers[part] for key, numbers in self.held.items()}
        return self.built.start_arrays(part.stop - part.start, held)

    def _kept(self, part: slice) -> Chunk:
        """Return the activity in a part that was run, with the state after it."""
        chunk = self.built.read(part.stop - part.start)
        shown = None if chunk.shown is None else part.start + chunk.shown
        return replace(chunk, shown=shown, carried=dict(self.built.carried))


@dataclass(frozen=True, eq=False)
class _Runtime(BuiltRunner):
    def __call__(self, presented: Presentations, part: slice) -> Chunk:
        self.built.network.restore()
        self.built.set_input(presented, part)
        for group, name, values in self._starts(part):
            group.variables[name].set_value(values)
        self.built.run(**_reporting(self.built, part.stop - part.start))
        for name in uncompiled_objects(self.built.network):
            raise TargetError(
                "a part of the network could not be compiled, and Brian2 left it out", where=name,
                hint="Use --target numpy",
            )  # fmt: skip
        self.built.keep_state()
        return self._kept(part)


def _reporting(built: BrianNetwork, presentations: int) -> dict[str, Any]:
    """Return the options of `brian2.Network.run` that move the bar, if there is one."""
    show = ahead()
    if show is None:
        return {}

    def report(_elapsed: object, completed: float, *_: object) -> None:
        steps = round(completed * built.steps) - len(built.populations)  # of the last layer
        show(min(presentations, max(0, steps // built.timing.period)))

    return {"report": report, "report_period": _REPORT_SECONDS * second}


@dataclass(frozen=True, eq=False)
class _Standalone(BuiltRunner):
    """A compiled program, which writes its recordings into a folder."""

    device: Any
    folder: Path

    def __call__(self, presented: Presentations, part: slice) -> Chunk:
        # Several processes may run the same binary at once, so each has its files.
        results = f"results-{part.start}-{os.getpid()}"
        with self._failing():
            with float32_allowed():
                self.device.run(
                    run_args=self._arguments(presented, part),
                    results_directory=results,
                    with_output=False,
                )
            self.built.keep_state()
            chunk = self._kept(part)
        shutil.rmtree(self.folder / results, ignore_errors=True)
        return chunk

    def _arguments(self, presented: Presentations, part: slice) -> list[str]:
        arguments = []
        arrays = dict(self.built.input_arrays(presented, part))
        arrays |= {f"{group.name}.{name}": values for group, name, values in self._starts(part)}
        for number, (name, values) in enumerate(arrays.items()):
            file = f"argument{number}-{os.getpid()}"  # brian2cuda lowers the case of paths
            values.tofile(self.folder / file)
            if name == f"{self.built.held.name}.values":
                os.truncate(self.folder / file, self.built.held.values.nbytes)  # the rest is 0
            arguments.append(f"{name}={file}")
        return arguments

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        # A full disk cuts the compiled network's files short, which Brian2 does not check.
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            raise TargetError(
                f"the compiled network failed, or its files could not be written: {error}",
                where=str(self.folder),
                hint="Free some space there or set TMPDIR to another folder; or run it with "
                "--target numpy",
            ) from error
