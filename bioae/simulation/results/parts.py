"""Finished chunks of a run, stored until the result is complete.

A folder of parts holds ``run.json``, the identity of the run, and a file of arrays for each
finished chunk, named by the numbers of its first presentation and of the one after its last. The
number of workers and the size of chunks may differ between attempts.
"""

from __future__ import annotations

import hashlib
import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bioae.documents import parse_json
from bioae.errors import OutputError
from bioae.fields import Table
from bioae.files import atomic_output, remove
from bioae.inputs import read_input
from bioae.simulation.results.chunk import Chunk, LayerSpikes, Trace, join_layers

__all__ = ["Excerpt", "Parts", "check_parts", "excerpts", "missing", "remove_parts"]

_RUN, _SUFFIX = "run.json", ".safetensors"
_OUTPUT = "output"
_COLUMNS = ("neuron", "counts")
#: What reading a file raises that is damaged, or that a stranger wrote.
_DAMAGED = (
    OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError, RecursionError
)  # fmt: skip


class _Run(Table):
    """The identity of a run in ``run.json``: texts, among others these."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]

    network: str
    images: str
    seed: str


class Excerpt(NamedTuple):
    """Presentations in a finished part: the part, and which of it; None is all."""

    part: slice
    chosen: slice | None


@dataclass(frozen=True)
class Parts:
    """The finished chunks of a run in a folder, which is made with the first.

    Attributes
    ----------
    folder
        The folder.
    identity
        Everything that the chunks depend on, by name.
    """

    folder: Path
    identity: Mapping[str, str]

    def finished(self, length: int) -> list[slice]:
        """Return the finished parts of the presentations, in order; damaged files do not count.

        Parameters
        ----------
        length
            The number of presentations.

        Raises
        ------
        OutputError
            If the folder holds another run, or something else.
        """
        if not os.path.lexists(self.folder):
            return []
        _check_same(self.folder, self.identity)
        finished: list[slice] = []
        end = 0
        for start, stop, file in sorted(self._files()):
            if start < end or stop > length:
                continue
            if _holds(file, presentations=stop - start):
                finished.append(slice(start, stop))
                end = stop
        return finished

    def spikes(self, excerpts: Sequence[Excerpt], layer: int) -> int:
        """Return the number of spikes of a layer in some finished presentations."""
        spikes = 0
        for part, chosen in excerpts:
            with _opened(self._file(part)) as opened:
                if chosen is None:
                    spikes += int(opened.get_slice(f"{layer}/neuron").get_shape()[0])
                else:
                    counts = opened.get_slice(f"{layer}/counts")[chosen]
                    spikes += int(counts.sum(dtype=np.int64))
        return spikes

    def layer(self, excerpts: Sequence[Excerpt], layer: int) -> LayerSpikes:
        """Read the spikes of one layer in some finished presentations, and nothing else."""
        layers = []
        for part, chosen in excerpts:
            with _opened(self._file(part)) as opened:
                entry = json.loads(opened.metadata()["layers"])[layer]
                names = [*_COLUMNS, *(f"states/{name}" for name in entry["units"])]
                arrays = {f"{layer}/{name}": opened.get_tensor(f"{layer}/{name}") for name in names}
            read = _layer(arrays, layer, entry)
            layers.append(read if chosen is None else read[chosen])
        return join_layers(layers)

    def output(self, excerpts: Sequence[Excerpt]) -> NDArray[np.float64]:
        """Return the decoded output of some finished presentations."""
        values: list[NDArray[np.float64]] = []
        for part, chosen in excerpts:
            with _opened(self._file(part)) as opened:
                values.append(opened.get_tensor(_OUTPUT)[chosen or slice(None)])
        return values[0] if len(values) == 1 else np.concatenate(values)

    def add(self, part: slice, chunk: Chunk) -> None:
        """Store a chunk.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if not self.folder.exists():
            with atomic_output(self.folder) as temporary:
                temporary.mkdir()
                text = json.dumps(dict(self.identity), indent=2, sort_keys=True)
                (temporary / _RUN).write_text(text + "\n", encoding="utf-8")
        with atomic_output(self._file(part), overwrite=True) as temporary:
            temporary.write_bytes(_to_bytes(chunk))

    def _file(self, part: slice) -> Path:
        return self.folder / f"{part.start:09d}-{part.stop:09d}{_SUFFIX}"

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        for file in self.folder.glob(f"*{_SUFFIX}"):
            start, _, stop = file.stem.partition("-")
            if start.isdecimal() and stop.isdecimal() and file.is_file():
                yield int(start), int(stop), file


def excerpts(finished: Sequence[slice], part: slice) -> tuple[Excerpt, ...]:
    """Return where finished parts, in order, hold some consecutive presentations."""
    first = bisect_right(finished, part.start, key=lambda each: int(each.stop))
    found = []
    for each in takewhile(lambda each: each.start < part.stop, finished[first:]):
        begin, end = max(each.start, part.start), min(each.stop, part.stop)
        whole = (begin, end) == (each.start, each.stop)
        chosen = None if whole else slice(begin - each.start, end - each.start)
        found.append(Excerpt(each, chosen))
    return tuple(found)


def remove_parts(folder: Path) -> None:
    """Remove a folder of parts, if there is one, and nothing else.

    Raises
    ------
    OutputError
        If the folder is not one of parts.
    """
    check_parts(folder)
    remove(folder)


def check_parts(folder: Path) -> None:
    """Refuse what is there in the place of a folder of parts, if it is none.

    Raises
    ------
    OutputError
        If there is something else, a link among others.
    """
    if os.path.lexists(folder):
        _run_of(folder)


def missing(length: int, finished: Sequence[slice], size: int) -> list[slice]:
    """Return the presentations that are not finished, in parts of at most a fixed size.

    Parameters
    ----------
    length
        The number of presentations.
    finished
        The finished parts, in order.
    size
        The largest number of presentations of a part.
    """
    starts = [0, *(part.stop for part in finished)]
    stops = [*(part.start for part in finished), length]
    return [
        slice(first, min(first + size, stop))
        for start, stop in zip(starts, stops, strict=True)
        for first in range(start, stop, size)
    ]


def _run_of(folder: Path) -> dict[str, str]:
    file = folder / _RUN
    try:
        if folder.is_symlink():  # it could not be removed in the end
            raise OutputError("it is a link", where=str(folder))
        stored = parse_json(read_input(file), where=str(file), error=OutputError)
        return _Run.model_validate(stored).model_dump()
    except (OSError, ValidationError, OutputError) as error:
        raise OutputError(
            "this is not the folder of an interrupted run, and was kept",
            where=str(folder),
            hint="Remove it, or choose another output",
        ) from error


def _check_same(folder: Path, identity: Mapping[str, str]) -> None:
    stored = _run_of(folder)
    for name in sorted({*identity, *stored}):
        if identity.get(name) != stored.get(name):
            raise OutputError(
                f"the interrupted run was a different one: {name} differs",
                where=str(folder),
                expected=stored.get(name, "none"),
                found=identity.get(name, "none"),
                hint="Resume it as it was started, or start over with --overwrite (overwrite=True)",
            )


def _to_bytes(chunk: Chunk) -> bytes:
    arrays: dict[str, NDArray[Any]] = {_OUTPUT: chunk.output}
    layers = []
    for number, layer in enumerate(chunk.layers):
        units = {}
        for name in _COLUMNS:
            arrays[f"{number}/{name}"] = _narrow(getattr(layer, name))
        for name, trace in layer.states.items():
            arrays[f"{number}/states/{name}"], units[name] = trace
        layers.append(
            {
                "name": layer.name,
                "shape": layer.shape,
                "units": units,
                "can_fire": layer.can_fire,
            }
        )
    arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    description = json.dumps(layers)
    digest = _sha256(arrays, description)
    return save(arrays, metadata={"layers": description, "sha256": digest})


def _holds(file: Path, *, presentations: int) -> bool:
    """Return whether a file holds a chunk of some presentations, and is not damaged."""
    with suppress(*_DAMAGED):
        with safe_open(file, framework="numpy") as opened:
            metadata = opened.metadata() or {}
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if metadata["sha256"] == _sha256(arrays, metadata["layers"]):
            for number, entry in enumerate(json.loads(metadata["layers"])):
                _layer(arrays, number, entry)
            return len(arrays[_OUTPUT]) == presentations
    return False


def _layer(
    arrays: Mapping[str, NDArray[Any]], number: int, entry: Mapping[str, Any]
) -> LayerSpikes:
    columns = {name: arrays[f"{number}/{name}"] for name in _COLUMNS}
    for (name, values), axes in zip(columns.items(), (1, 2), strict=True):
        if values.dtype.kind not in "ui" or values.ndim != axes:
            raise ValueError(f"{name} is no array of whole numbers")
    return LayerSpikes(
        str(entry["name"]),
        tuple(map(int, entry["shape"])),
        **columns,
        states={
            name: Trace(arrays[f"{number}/states/{name}"], units)
            for name, units in entry["units"].items()
        },
        can_fire=bool(entry["can_fire"]),
    )


def _narrow(values: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Return indices in the smallest type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="numpy") as opened:
            yield opened
    except _DAMAGED as error:
        raise _lost(file) from error


def _lost(file: Path) -> OutputError:
    return OutputError(
        "a finished chunk of an interrupted run cannot be read any more",
        where=str(file),
        hint="Run it again with --resume (resume=True): missing chunks are run again",
    )


def _sha256(arrays: Mapping[str, NDArray[Any]], description: str) -> str:
    hashed = hashlib.sha256(description.encode())
    for name in sorted(arrays):
        values = arrays[name]
        hashed.update(f"{name}{values.dtype}{values.shape}".encode())
        hashed.update(values.tobytes())
    return hashed.hexdigest()
