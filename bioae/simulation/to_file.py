"""Run a trained network on any number of images, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

import xarray as xr
from numpy.typing import ArrayLike

from bioae.datasets import Images
from bioae.errors import OutputError
from bioae.files import check_output
from bioae.networks.layers import Background
from bioae.networks.network import Network
from bioae.simulation.objects.pathways import Connectivity
from bioae.simulation.results.netcdf import write_pieces
from bioae.simulation.results.parts import Parts, remove_parts
from bioae.simulation.results.result import write_result
from bioae.simulation.run import Progress, Run
from bioae.simulation.targets.activation import Dtype, Target

__all__ = ["Options", "check_free", "parts_beside", "simulate_to"]


class Options(TypedDict, total=False):
    """What `simulate_to` takes beside what it is given: arguments of `bioae.simulate`."""

    target: Target
    examples: ArrayLike | None
    seed: int
    dtype: Dtype
    record: Collection[str]
    spread: Mapping[str, float] | None
    background: Background
    delay: str | None
    connectivity: Connectivity
    chunk: int | None
    workers: int
    cluster: str | None


def simulate_to(
    path: Path | str,
    network: Network,
    images: Images | ArrayLike,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Unpack[Options],
) -> None:
    """Run a network in Brian2 on images, and write the result as a file.

    The file is the one that `bioae.write_result` writes of what `bioae.simulate` returns. Chunks
    are kept in the folder ``PATH.parts`` as they are done, and the file is made of them in the end:
    memory is bounded by a chunk, and an interrupted run loses only what it was at.

    Parameters
    ----------
    path
        Where to write, netCDF.
    network, images, progress
        As for `bioae.simulate`.
    resume
        Go on with an interrupted run, if there is one, from what it finished.
    overwrite
        Replace an existing file, or what an interrupted run finished.
    **options
        Further arguments of `bioae.simulate`.

    Raises
    ------
    DataError, TargetError, InputError
        As `bioae.simulate`.
    OutputError
        If there is a file and `overwrite` is false, or an interrupted run and neither `overwrite`
        nor `resume` is true, or that run was another one; or if writing fails.
    """
    path = check_free(path, resume=resume, overwrite=overwrite)
    folder = parts_beside(path)
    run = Run.of(network, images, **options)
    if not resume:
        remove_parts(folder)
    parts = Parts(folder, run.identity)
    finished = parts.finished(len(run.shown))
    whole: xr.DataTree | None = None  # of a run of one chunk, which needs no parts
    for part, chunk in run.chunks(finished, progress):
        if part == slice(0, len(run.shown)):
            whole = run.result(chunk)
        else:
            parts.add(part, chunk)
            finished.append(part)
    if whole is not None:
        write_result(whole, path, overwrite=overwrite)
        return
    finished.sort(key=lambda part: part.start)
    write_pieces([_Piece(run, parts, part) for part in finished], path, overwrite=overwrite)
    remove_parts(folder)


def check_free(path: Path | str, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Refuse a file that exists, or an interrupted run, as `simulate_to` does.

    Raises
    ------
    OutputError
        As `simulate_to`.
    """
    path = check_output(path, overwrite=overwrite, kind="file")
    folder = parts_beside(path)
    if folder.exists() and not resume and not overwrite:
        raise OutputError(
            "a run that was interrupted left what it finished, which was kept",
            where=str(folder),
            mend="Go on with it with --resume, or start anew with --overwrite",
        )
    return path


def parts_beside(path: Path) -> Path:
    """Return the folder of what is finished of a file."""
    return path.with_name(f"{path.name}.parts")


@dataclass(frozen=True)
class _Piece:
    """The part of a run that is kept in a file, read as far as it is asked for."""

    run: Run
    parts: Parts
    part: slice

    @property
    def groups(self) -> list[str]:
        return ["/", *(f"/layers/{name}" for name in self._layers)]

    def sizes(self, group: str) -> dict[str, int]:
        sizes = {"example": self.part.stop - self.part.start}
        if group != "/":
            sizes["spike"] = self.parts.spikes(self.part, self._number(group))
        return sizes

    def dataset(self, group: str) -> xr.Dataset:
        # No tree: its nodes refer to each other, and would stay in memory for a while.
        if group == "/":
            return self.run.root(self.parts.reconstruction(self.part), self.part)
        return self.run.layer(self.parts.layer(self.part, self._number(group)), self.part)

    @property
    def _layers(self) -> list[str]:
        return [placed.name for placed in self.run.job.network.config.placed]

    def _number(self, group: str) -> int:
        return self._layers.index(group.rpartition("/")[2])
