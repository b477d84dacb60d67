"""Finished chunks of a run, stored until the result is complete.

A folder of parts holds ``run.json``, the identity of the run, and a file of arrays for each
finished chunk, named by the numbers of its first presentation and of the one after its last. The
number of workers and the size of chunks may differ between attempts.
"""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bioae.errors import OutputError
from bioae.files import atomic_output, remove
from bioae.simulation.results.chunk import Chunk, LayerSpikes, Trace, join_layers

_RUN, _SUFFIX = "run.json", ".safetensors"
_NUMBER = "[0-9]" * 9
_OUTPUT, _LAYERS, _CARRIED = "output", "layers", "carried/"


@dataclass(frozen=True)
class Parts:
    """The finished chunks of a run in a folder, which is made with the first.

    `identity` are the settings on which the chunks depend, by name; `finished` the presentations of
    each chunk, in order.
    """

    folder: Path
    identity: Mapping[str, str]
    finished: list[slice] = field(default_factory=list)

    @classmethod
    def of(
        cls, folder: Path, identity: Mapping[str, str], length: int, *, in_order: bool = False
    ) -> Parts:
        """Return the parts of a run of `length` presentations in a folder, if there is one.

        Incomplete files do not count, nor those after a missing one if chunks run `in_order`.
        Raises an OutputError if the folder holds another run, or something else.
        """
        parts = cls(folder, identity)
        if os.path.lexists(folder):
            _check_same(folder, identity)
        for file in sorted(folder.glob(f"{_NUMBER}-{_NUMBER}{_SUFFIX}")):
            start, stop = map(int, file.stem.split("-"))
            end = parts.finished[-1].stop if parts.finished else 0
            follows = end == start if in_order else end <= start
            if follows and stop <= length and _is_whole(file):
                parts.finished.append(slice(start, stop))
        return parts

    def add(self, part: slice, chunk: Chunk) -> None:
        """Store a chunk, or raise an `OutputError` if it cannot be written."""
        if not self.folder.exists():
            with atomic_output(self.folder) as temporary:
                temporary.mkdir()
                text = json.dumps(dict(self.identity), indent=2, sort_keys=True)
                (temporary / _RUN).write_text(text + "\n", encoding="utf-8")
        with atomic_output(self._file(part), overwrite=True) as temporary:
            temporary.write_bytes(_to_bytes(chunk))
        self.finished.append(part)
        self.finished.sort(key=lambda each: each.start)

    @property
    def carried(self) -> dict[str, NDArray[Any]]:
        """The state after the finished chunks, where it carries over."""
        for opened, _ in self._opened(self.finished[-1]) if self.finished else ():
            names = (name for name in opened.keys() if name.startswith(_CARRIED))  # noqa: SIM118
            return {name.removeprefix(_CARRIED): opened.get_tensor(name) for name in names}
        return {}

    def spikes(self, part: slice, layer: int) -> int:
        """Return the number of spikes of a layer in some finished presentations."""
        return sum(
            int(opened.get_slice(f"{layer}/counts")[chosen].sum(dtype=np.int64))
            for opened, chosen in self._opened(part)
        )

    def layer(self, part: slice, layer: int) -> LayerSpikes:
        """Read the spikes of one layer in some finished presentations, and nothing else."""
        return join_layers([_layer(opened, layer)[chosen] for opened, chosen in self._opened(part)])

    def output(self, part: slice) -> NDArray[np.float64]:
        """Return the decoded output of some finished presentations."""
        return np.concatenate(
            [opened.get_slice(_OUTPUT)[chosen] for opened, chosen in self._opened(part)]
        )

    def _opened(self, part: slice) -> Iterator[tuple[Any, slice]]:
        """Open each file with some of the presentations, and yield it with their places in it."""
        first = bisect_right(self.finished, part.start, key=lambda each: int(each.stop))
        for each in self.finished[first:]:
            if each.start >= part.stop:
                break
            file = self._file(each)
            try:
                with safe_open(file, framework="numpy") as opened:
                    begin = max(each.start, part.start) - each.start
                    yield opened, slice(begin, min(each.stop, part.stop) - each.start)
            except (OSError, SafetensorError) as error:
                raise OutputError(
                    "a finished chunk of an interrupted run cannot be read any more",
                    where=str(file),
                    hint="Run it again with --resume (resume=True): missing chunks are run again",
                ) from error

    def _file(self, part: slice) -> Path:
        return self.folder / f"{part.start:09d}-{part.stop:09d}{_SUFFIX}"


def remove_parts(folder: Path) -> None:
    """Remove a folder of parts, if there is one; anything else raises an `OutputError`."""
    check_parts(folder)
    remove(folder)


def check_parts(folder: Path) -> None:
    """Raise an `OutputError` if there is something else than a folder of parts, such as a link."""
    if os.path.lexists(folder):
        _run_of(folder)


def missing(length: int, finished: Sequence[slice], size: int) -> list[slice]:
    """Return the presentations that are not finished, in parts of at most a fixed size.

    `finished` are parts of all presentations, in order.
    """
    starts = [0, *(part.stop for part in finished)]
    stops = [*(part.start for part in finished), length]
    return [
        slice(first, min(first + size, stop))
        for start, stop in zip(starts, stops, strict=True)
        for first in range(start, stop, size)
    ]


def _run_of(folder: Path) -> dict[str, str]:
    try:
        if folder.is_symlink():  # it could not be removed in the end
            raise ValueError("it is a link")
        stored = json.loads((folder / _RUN).read_bytes())
        if not isinstance(stored, dict):
            raise ValueError("it holds no names")
    except (OSError, ValueError) as error:
        raise OutputError(
            "this is not the folder of an interrupted run, and was kept", where=str(folder),
            hint="Remove it, or choose another output",
        ) from error  # fmt: skip
    return {str(name): str(value) for name, value in stored.items()}


def _check_same(folder: Path, identity: Mapping[str, str]) -> None:
    stored = _run_of(folder)
    for name in sorted({*identity, *stored}):
        if identity.get(name) != stored.get(name):
            raise OutputError(
                f"the interrupted run was a different one: {name} differs", where=str(folder),
                expected=stored.get(name, "none"), found=identity.get(name, "none"),
                hint="Resume it as it was started, or start over with --overwrite (overwrite=True)",
            )  # fmt: skip


def _to_bytes(chunk: Chunk) -> bytes:
    arrays: dict[str, NDArray[Any]] = {_OUTPUT: chunk.output}
    arrays |= {f"{_CARRIED}{name}": values for name, values in chunk.carried.items()}
    described = []
    for number, layer in enumerate(chunk.layers):
        arrays[f"{number}/neuron"] = _narrow(layer.neuron)
        arrays[f"{number}/counts"] = _narrow(layer.counts)
        units = {}
        for name, trace in layer.states.items():
            arrays[f"{number}/states/{name}"], units[name] = trace
        described.append([layer.name, layer.shape, units, layer.can_fire])
    arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    return save(arrays, metadata={_LAYERS: json.dumps(described)})


def _is_whole(file: Path) -> bool:
    try:
        with safe_open(file, framework="numpy"):
            return True
    except (OSError, SafetensorError):
        return False


def _layer(opened: Any, number: int) -> LayerSpikes:
    name, shape, units, can_fire = json.loads(opened.metadata()[_LAYERS])[number]
    states = {
        each: Trace(opened.get_tensor(f"{number}/states/{each}"), unit)
        for each, unit in units.items()
    }
    neuron, counts = (opened.get_tensor(f"{number}/{each}") for each in ("neuron", "counts"))
    return LayerSpikes(name, tuple(shape), neuron, counts, states, can_fire)


def _narrow(values: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Return indices in the smallest type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
