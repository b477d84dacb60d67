"""Simulate a trained network on images: in memory, or chunk by chunk into a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import xarray as xr
from numpy.typing import ArrayLike

from bioae.checks import whole
from bioae.datasets import Data, DataOptions
from bioae.datasets.conversion import check_options
from bioae.errors import OutputError
from bioae.files import check_output
from bioae.networks.network import Network
from bioae.networks.trained.loading import NetworkLike, network_of
from bioae.progress import Progress, check_progress, counted
from bioae.simulation.backend import Backend, Target, check_record
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.simulation.results.describe import describe_run, result_of
from bioae.simulation.results.netcdf import check_replaced, write_pieces, write_result
from bioae.simulation.results.parts import (
    Excerpt,
    Parts,
    check_parts,
    excerpts,
    missing,
    remove_parts,
)
from bioae.simulation.results.root import root_dataset, versions
from bioae.simulation.results.tree import layer_dataset
from bioae.simulation.targets.activation import check_target
from bioae.simulation.workers.job import Job, chunk_size
from bioae.simulation.workers.processes import run_in_processes
from bioae.simulation.workers.runner import Finished

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["check_free", "parts_folder", "simulate", "simulate_to"]


def simulate(
    network: NetworkLike,
    images: Data | Any,
    backend: Backend | Target = "cpp_standalone",
    *,
    seed: int = 0,
    examples: ArrayLike | None = None,
    repeats: int = 1,
    chunk: int | None = None,
    workers: int | Client = 1,
    progress: Progress | bool | None = None,
    **options: Unpack[DataOptions],
) -> xr.DataTree:
    """Run a network in Brian2 on images.

    Parameters
    ----------
    network
        The network; or an artefact, or the path or name of a trained network.
    images
        Images, signals or events: a data set's name, a path, an array or tensor, a data set of
        PyTorch, and the other forms of `bioae.datasets.convert`.
    backend
        The target, or a `Backend` with the target, the type of state variables, the variables to
        record, and the way that connections are stored.
    seed
        The seed of random input and of the noise of neurons.
    examples
        The number of each image (example); its place in the data set by default. Random input
        and the noise of neurons depend on the seed, on this number and on the repeat, and on
        nothing else.
    repeats
        The number of presentations of each image, which differ in random input and noise. The
        first, repeat 0, is the only one by default.
    chunk
        The number of presentations of a run; chosen to bound memory by default. Results do not
        depend on it.
    workers
        The number of processes that share the chunks, or the `distributed.Client` of a Dask
        cluster whose workers run them. Results do not depend on it.
    progress
        Called after each chunk with the numbers of finished and of all presentations; or whether
        to show a bar, by default on a terminal and in a notebook.
    options
        `labels`, `split` (``"test"`` by default), `limit`, `layout` and others, see
        `bioae.datasets.convert`.

    Returns
    -------
    xarray.DataTree
        See `docs/result.md`.

    Raises
    ------
    DataError
        If the images do not fit the network.
    TargetError
        If there is no such target, or it is missing a requirement; or if the cluster has no
        workers.
    InputError
        If an option does not fit, or `workers`, `chunk` or `repeats` is below 1; or if there are
        several repeats and the network has no noise.
    """
    check_progress(progress)
    check_options(options, simulate)
    simulation = _Simulation.of(
        network, images, backend,
        seed=seed, examples=examples, repeats=repeats, chunk=chunk, workers=workers,
        options=options,
    )  # fmt: skip
    chunks = {part.start: each for part, each in simulation.run(progress=progress)}
    return simulation.result(join_chunks([chunks[start] for start in sorted(chunks)]))


def simulate_to(
    path: Path | str,
    network: NetworkLike,
    images: Data | Any,
    backend: Backend | Target = "cpp_standalone",
    *,
    seed: int = 0,
    examples: ArrayLike | None = None,
    repeats: int = 1,
    chunk: int | None = None,
    workers: int | Client = 1,
    progress: Progress | bool | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **options: Unpack[DataOptions],
) -> None:
    """Run a network in Brian2 on images, and write the result as a file.

    The file is the same as `bioae.write_result` writes of the tree from `bioae.simulate`. Finished
    chunks are stored in the folder ``PATH.parts`` until the file is made of them: memory is bounded
    by a chunk and the repeats of one image, and an interrupted run loses only its unfinished
    chunks.

    Parameters
    ----------
    path
        The netCDF file.
    network, images, backend, seed, examples, repeats, chunk, workers, progress, options
        As for `bioae.simulate`.
    resume
        Continue an interrupted run, if there is one.
    overwrite
        Replace an existing result, or the finished chunks of an interrupted run. No other file is
        replaced.

    Raises
    ------
    DataError, TargetError, InputError
        As `bioae.simulate`.
    OutputError
        If there is a file and `overwrite` is false, or an interrupted run and neither `overwrite`
        nor `resume` is true, or that run was another one; or if writing fails.
    """
    check_progress(progress)
    check_options(options, simulate_to)
    path = check_free(path, resume=resume, overwrite=overwrite)
    folder = parts_folder(path)
    simulation = _Simulation.of(
        network, images, backend,
        seed=seed, examples=examples, repeats=repeats, chunk=chunk, workers=workers,
        options=options,
    )  # fmt: skip
    if not resume:
        remove_parts(folder)
    parts = Parts(folder, simulation.identity)
    finished = parts.finished(len(simulation.images))
    whole: xr.DataTree | None = None  # a run of one chunk needs no parts
    with closing(simulation.run(finished, progress=progress)) as running:
        for part, each in running:
            if part == slice(0, len(simulation.images)):
                whole = simulation.result(each)
            else:
                parts.add(part, each)
                finished.append(part)
    if whole is not None:
        write_result(whole, path, overwrite=overwrite)
    else:
        finished.sort(key=lambda part: part.start)
        pieces = _pieces(simulation, parts, finished)
        write_pieces(pieces, path, overwrite=overwrite)
    remove_parts(folder)


def check_free(path: Path | str, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Refuse a file that exists, or an interrupted run, as `simulate_to` does.

    Raises
    ------
    OutputError
        As `simulate_to`.
    """
    check_replaced(path)
    path = check_output(path, overwrite=overwrite, kind="file")
    folder = parts_folder(path)
    check_parts(folder)
    if folder.exists() and not resume and not overwrite:
        raise OutputError(
            "an interrupted run left finished chunks, which were kept",
            where=str(folder),
            hint="Continue it with --resume, or start over with --overwrite",
        )
    return path


def parts_folder(path: Path) -> Path:
    """Return the folder of the finished chunks of a file."""
    return path.with_name(f"{path.name}.parts")


@dataclass(frozen=True, eq=False)
class _Simulation:
    """A network with its images, and the workers that run it."""

    network: Network
    images: Presentations
    backend: Backend
    chunk: int | None
    workers: int | Client

    @classmethod
    def of(
        cls,
        network: NetworkLike,
        images: Data | Any,
        backend: Backend | Target,
        *,
        seed: int,
        examples: ArrayLike | None,
        repeats: int,
        chunk: int | None,
        workers: int | Client,
        options: DataOptions,
    ) -> _Simulation:
        """Check the arguments of `simulate` before any work is done."""
        network = network_of(network)
        backend = Backend.of(backend)
        check_record(backend.record, network.config.placed)
        chunk = None if chunk is None else whole(chunk, "chunk", least=1)
        if not _is_client(workers):
            expected = "a whole number or a distributed.Client"
            workers = whole(workers, "workers", least=1, expected=expected)
            check_target(backend.target)
        presented = Presentations.of(
            network.config, images, examples=examples, seed=seed, repeats=repeats, **options
        )
        return cls(network, presented, backend, chunk, workers)

    @property
    def identity(self) -> dict[str, str]:
        """Everything that the chunks depend on."""
        options = asdict(self.backend)
        recorded = ", ".join(options.pop("record"))
        return {
            "network": self.network.sha256,
            "spread": self.network.spread_text,
            "images": self.images.sha256,
            "seed": str(self.images.seed),
            "repeats": str(self.images.repeats),
            **options,
            "recorded": recorded,
            **{f"version of {package}": number for package, number in versions().items()},
        }

    def run(
        self, finished: Sequence[slice] = (), *, progress: Progress | bool | None = None
    ) -> Finished:
        """Run the unfinished presentations, and yield each part when it is finished."""
        total = len(self.images)
        done = sum(part.stop - part.start for part in finished)
        run_parts, workers = self._sharing()
        size = self.chunk or chunk_size(self.network.config, self.backend.record)
        size = max(1, min(size, -(-total // workers)))
        job = Job(self.network, size, self.backend)
        with (
            counted("Brian2", total, progress, unit="examples", done=done) as report,
            closing(run_parts(job.runner, parts=missing(total, finished, size))) as running,
        ):
            for part, each in running:
                yield part, each
                done += part.stop - part.start
                report(done)

    def _sharing(self) -> tuple[Callable[..., Finished], int]:
        """Return the function that runs parts of a build, and the number of its workers."""
        workers, images = self.workers, self.images
        if isinstance(workers, int):
            return partial(run_in_processes, images=images, workers=workers), workers
        from bioae.simulation.workers.dask_cluster import count_workers, run_on_cluster

        return partial(run_on_cluster, images=images, client=workers), count_workers(workers)

    def result(self, chunk: Chunk) -> xr.DataTree:
        """Return the result of all images."""
        target, dtype = self.backend.target, self.backend.dtype
        return result_of(self.network.described(), self.images, chunk, target=target, dtype=dtype)


def _is_client(workers: object) -> bool:
    distributed = sys.modules.get("distributed")  # nobody has a client who has not imported it
    return distributed is not None and isinstance(workers, distributed.Client)


def _pieces(simulation: _Simulation, parts: Parts, finished: Sequence[slice]) -> list[_Piece]:
    """Return the pieces of whole examples that end with the finished parts."""
    repeats = simulation.images.repeats
    ends = sorted({part.stop // repeats * repeats for part in finished} - {0})
    pieces = [slice(start, stop) for start, stop in pairwise([0, *ends])]
    return [_Piece(simulation, parts, part, excerpts(finished, part)) for part in pieces]


@dataclass(frozen=True)
class _Piece:
    """Whole examples of a simulation as a piece of its file; arrays are read when needed."""

    simulation: _Simulation
    parts: Parts
    part: slice
    excerpts: tuple[Excerpt, ...]

    @property
    def groups(self) -> list[str]:
        return ["/", *(f"/layers/{name}" for name in self._layers)]

    def sizes(self, group: str) -> dict[str, int]:
        sizes = {"example": len(self._images.data)}
        if group != "/":
            sizes["spike"] = self.parts.spikes(self.excerpts, self._number(group))
        return sizes

    def dataset(self, group: str) -> xr.Dataset:
        # No tree: its nodes refer to each other, and would stay in memory for a while.
        network, images = self.simulation.network, self._images
        if group != "/":
            layer = self.parts.layer(self.excerpts, self._number(group))
            config, repeats = network.config, images.repeats
            return layer_dataset(
                layer, images.examples, config.dt_seconds * 1e3, config.steps, repeats
            )
        backend = self.simulation.backend
        output = self.parts.output(self.excerpts)
        root = describe_run(
            network.described(), images, output, target=backend.target, dtype=backend.dtype
        )
        return root_dataset(**root)

    @property
    def _images(self) -> Presentations:
        return self.simulation.images[self.part]

    @property
    def _layers(self) -> list[str]:
        return [placed.name for placed in self.simulation.network.config.placed]

    def _number(self, group: str) -> int:
        return self._layers.index(group.rpartition("/")[2])
