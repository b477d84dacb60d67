"""The loop over chunks of presentations: into memory, or into a file, on any target."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from bioae.errors import InputError, OutputError
from bioae.files import check_output
from bioae.networks.network import Network
from bioae.progress import Progress, counted
from bioae.provenance import versions
from bioae.simulation.backend import LABELS, Backend
from bioae.simulation.engine import Arrays, Engine, Finished
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.simulation.results.divergence import diverged
from bioae.simulation.results.netcdf import check_replaced, write_pieces, write_result
from bioae.simulation.results.parts import Parts, check_parts, missing, remove_parts
from bioae.simulation.workers.processes import run_in_processes

if TYPE_CHECKING:  # they take long to import
    import xarray as xr

_LOGGER = logging.getLogger("bioae")


def check_free(path: Path | str, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Raise an `OutputError` for a file that exists or an interrupted run, as `simulate_to`."""
    check_replaced(path)
    path = check_output(path, overwrite=overwrite, kind="file")
    folder = parts_folder(path)
    check_parts(folder)
    if folder.exists() and not resume and not overwrite:
        raise OutputError(
            "an interrupted run left finished chunks, which were kept", where=str(folder),
            hint="Continue it with --resume (resume=True), or start over with --overwrite "
            "(overwrite=True)",
        )  # fmt: skip
    return path


def parts_folder(path: Path) -> Path:
    """Return the folder of the finished chunks of a file."""
    return path.with_name(f"{path.name}.parts")


@dataclass(frozen=True, eq=False)
class Simulation:
    """The engine of a network, and the presentations that it runs."""

    engine: Engine
    presented: Presentations

    @property
    def network(self) -> Network:
        """The network."""
        return self.engine.network

    @property
    def backend(self) -> Backend:
        """The target and its options."""
        return self.engine.backend

    @property
    def identity(self) -> dict[str, str]:
        """Everything that the chunks depend on."""
        backend = self.backend
        return {
            "network": self.network.sha256,
            "spread": self.network.spread_text,
            "images": self.presented.sha256,
            "seed": str(self.presented.seed),
            "repeats": str(self.presented.repeats),
            "target": backend.target,
            "dtype": backend.dtype,
            "connectivity": backend.connectivity,
            "recorded": ", ".join(backend.record),
            **{f"version of {package}": number for package, number in versions().items()},
        }

    def result(self, progress: Progress | bool | None = None) -> xr.DataTree:
        """Run all presentations, and return the result."""
        return self.tree(self.chunk(progress))

    def chunk(self, progress: Progress | bool | None = None) -> Chunk:
        """Run all presentations, and return the network's activity in them."""
        chunks = {part.start: each for part, each in self.run(progress=progress)}
        return join_chunks([chunks[start] for start in sorted(chunks)])

    def write(
        self, path: Path, *, resume: bool, overwrite: bool, progress: Progress | bool | None
    ) -> None:
        """Run all presentations, and write the result, see `bioae.simulate_to`."""
        folder = parts_folder(path)
        if not resume:
            remove_parts(folder)
        in_order = self.network.config.carry_over
        parts = Parts.of(folder, self.identity, len(self.presented), in_order=in_order)
        whole: xr.DataTree | None = None  # a run of one chunk needs no parts
        carried = parts.carried if in_order else {}
        running = self.run(parts.finished, carried=carried, progress=progress)
        with closing(running):
            for part, each in running:
                if part == slice(0, len(self.presented)):
                    whole = self.tree(each)
                else:
                    parts.add(part, each)
        if whole is not None:
            write_result(whole, path, overwrite=overwrite)
        else:
            write_pieces(_pieces(self, parts), path, overwrite=overwrite)
        remove_parts(folder)

    def run(
        self,
        finished: Sequence[slice] = (),
        *,
        carried: Arrays | None = None,
        progress: Progress | bool | None = None,
    ) -> Finished:
        """Run the unfinished presentations, and yield each part when it is finished.

        `carried` is the state after the finished ones, where it carries over.
        """
        total, done = len(self.presented), sum(part.stop - part.start for part in finished)
        run_parts, workers = self._sharing()
        most = workers * (self.backend.chunk or self.engine.chunk_size)
        rounds = max(1, -(-total // most))
        size = max(1, -(-total // (workers * rounds)))  # equal parts: less is padded
        # Workers receive the engine, and need no client.
        engine = replace(
            self.engine, backend=replace(self.backend, workers=1), carried=carried or {}
        )
        build, parts = partial(engine.runner, size), missing(total, finished, size)
        label = LABELS[self.backend.target]
        with (
            counted(label, total, progress, unit="examples", done=done) as report,
            closing(run_parts(build, parts=parts)) as running,
        ):
            told: set[str] = set()
            for part, each in running:
                self._warn(part, each, told)
                yield part, each
                done += part.stop - part.start
                report(done)

    def _warn(self, part: slice, chunk: Chunk, told: set[str]) -> None:
        """Warn of the layers whose recorded states diverged, but those told of before."""
        for layer in chunk.layers:
            states = {name: trace[0] for name, trace in layer.states.items()}
            line = diverged(states, self.network.config.dt_seconds * 1e3, part.start)
            if line is not None and layer.name not in told:
                told.add(layer.name)
                _LOGGER.warning("bioae: %s, %s: %s", self.backend.target, layer.name, line)

    def _sharing(self) -> tuple[Callable[..., Finished], int]:
        """Return the function that runs parts of a build, and the number of its workers."""
        workers, presented = self.backend.workers, self.presented
        if self.network.config.carry_over and workers != 1:
            raise InputError(
                "presentations that carry over run one after another", where="workers",
                expected="1", found=str(workers),
            )  # fmt: skip
        if isinstance(workers, int):
            self.engine.check()
            return partial(run_in_processes, presented=presented, workers=workers), workers
        from bioae.simulation.workers.dask_cluster import count_workers, run_on_cluster

        return partial(run_on_cluster, presented=presented, client=workers), count_workers(workers)

    def tree(self, chunk: Chunk) -> xr.DataTree:
        """Return the result of all presentations."""
        from bioae.simulation.results.describe import result_of

        target, dtype = self.backend.target, self.backend.dtype
        return result_of(self.network, self.presented, chunk, target=target, dtype=dtype)


def _pieces(simulation: Simulation, parts: Parts) -> list[_Piece]:
    """Return the pieces of whole examples that end with the finished parts."""
    repeats = simulation.presented.repeats
    ends = sorted({part.stop // repeats * repeats for part in parts.finished} - {0})
    return [_Piece(simulation, parts, slice(*bounds)) for bounds in pairwise([0, *ends])]


@dataclass(frozen=True)
class _Piece:
    """Whole examples of a simulation as a piece of its file; arrays are read when needed."""

    simulation: Simulation
    parts: Parts
    part: slice

    @property
    def groups(self) -> list[str]:
        return ["/", *(f"/layers/{name}" for name in self._layers)]

    def sizes(self, group: str) -> dict[str, int]:
        sizes = {"example": len(self._presented.data)}
        if group != "/":
            sizes["spike"] = self.parts.spikes(self.part, self._number(group))
        return sizes

    def dataset(self, group: str) -> xr.Dataset:
        from bioae.simulation.results.describe import describe_run
        from bioae.simulation.results.root import root_dataset
        from bioae.simulation.results.tree import layer_dataset

        # No tree: its nodes refer to each other, and would stay in memory for a while.
        network, backend = self.simulation.network, self.simulation.backend
        config, presented = network.config, self._presented
        if group == "/":
            output = self.parts.output(self.part)
            root = describe_run(network, presented, output, backend.target, backend.dtype)
            return root_dataset(**root)
        layer = self.parts.layer(self.part, self._number(group))
        dt_ms, examples, repeats = config.dt_seconds * 1e3, presented.examples, presented.repeats
        return layer_dataset(layer, examples, dt_ms, config.steps, repeats, stored=True)

    @property
    def _presented(self) -> Presentations:
        return self.simulation.presented[self.part]

    @property
    def _layers(self) -> list[str]:
        return [placed.name for placed in self.simulation.network.config.placed]

    def _number(self, group: str) -> int:
        return self._layers.index(group.rpartition("/")[2])
