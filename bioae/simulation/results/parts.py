"""What is done of a run, kept on disk until all is: a file for each chunk, whole or not there.

A folder of parts holds ``run.json``, which says what was run, and a file of arrays for each chunk
of images that is done, named by its first image and the one after its last. How images are shared
out, among processes or into chunks, may change from one attempt to the next.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bioae.errors import OutputError
from bioae.files import atomic_output
from bioae.simulation.objects.reading import Chunk
from bioae.simulation.results.layer_spikes import LayerSpikes, Trace

__all__ = ["Parts", "missing", "remove_parts"]

_RUN, _SUFFIX = "run.json", ".safetensors"
_RECONSTRUCTION = "reconstruction"
_COLUMNS = ("neuron", "counts")


@dataclass(frozen=True)
class Parts:
    """The parts of a run in a folder, which comes into being with the first.

    Attributes
    ----------
    folder
        Where.
    run
        What is run, by the names of what it depends on.
    """

    folder: Path
    run: Mapping[str, str]

    def finished(self, length: int) -> list[slice]:
        """Return which images are done, in order.

        Parameters
        ----------
        length
            Of how many images. What is damaged counts as not done.

        Raises
        ------
        OutputError
            If the folder holds another run, or something else.
        """
        if not self.folder.exists():
            return []
        _check_same(self.folder, self.run)
        finished: list[slice] = []
        end = 0
        for start, stop, file in sorted(self._files()):
            if start < end or stop > length:
                continue
            chunk = _read(file)
            if chunk is not None and len(chunk.reconstruction) == stop - start:
                finished.append(slice(start, stop))
                end = stop
        return finished

    def chunk(self, part: slice) -> Chunk:
        """Return a chunk that is done.

        Raises
        ------
        OutputError
            If it cannot be read any more.
        """
        chunk = _read(self._file(part))
        if chunk is None:
            raise _lost(self._file(part))
        return chunk

    def spikes(self, part: slice, layer: int) -> int:
        """Return how many spikes a layer has in a chunk that is done."""
        with _opened(self._file(part)) as opened:
            return int(opened.get_slice(f"{layer}/neuron").get_shape()[0])

    def layer(self, part: slice, layer: int) -> LayerSpikes:
        """Return what one layer did in a chunk that is done, and read nothing else."""
        with _opened(self._file(part)) as opened:
            said = json.loads(opened.metadata()["layers"])[layer]
            names = [*_COLUMNS, *(f"states/{name}" for name in said["units"])]
            arrays = {f"{layer}/{name}": opened.get_tensor(f"{layer}/{name}") for name in names}
        return _layer(arrays, layer, said)

    def reconstruction(self, part: slice) -> NDArray[np.float64]:
        """Return the decoded images of a chunk that is done."""
        with _opened(self._file(part)) as opened:
            values: NDArray[np.float64] = opened.get_tensor(_RECONSTRUCTION)
        return values

    def add(self, part: slice, chunk: Chunk) -> None:
        """Keep a chunk.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if not self.folder.exists():
            with atomic_output(self.folder) as temporary:
                temporary.mkdir()
                text = json.dumps(dict(self.run), indent=2, sort_keys=True)
                (temporary / _RUN).write_text(text + "\n", encoding="utf-8")
        with atomic_output(self._file(part), overwrite=True) as temporary:
            temporary.write_bytes(_to_bytes(chunk))

    def _file(self, part: slice) -> Path:
        return self.folder / f"{part.start:09d}-{part.stop:09d}{_SUFFIX}"

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        for file in self.folder.glob(f"*{_SUFFIX}"):
            start, _, stop = file.stem.partition("-")
            if start.isdecimal() and stop.isdecimal():
                yield int(start), int(stop), file


def remove_parts(folder: Path) -> None:
    """Remove a folder of parts, if there is one, and nothing else.

    Raises
    ------
    OutputError
        If the folder is not one of parts.
    """
    if folder.exists():
        _run_of(folder)
        shutil.rmtree(folder)


def missing(length: int, finished: Sequence[slice], size: int) -> list[slice]:
    """Return what is left to do, in parts of a fixed size at most.

    Parameters
    ----------
    length
        Of how many images.
    finished
        What is done, in order.
    size
        How many images a part has at most.
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
        found = json.loads((folder / _RUN).read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in found.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise OutputError(
            "this is not the folder of an interrupted run, and was kept",
            where=str(folder),
            mend="Remove it, or choose another output",
        ) from error


def _check_same(folder: Path, run: Mapping[str, str]) -> None:
    found = _run_of(folder)
    for name in sorted({*run, *found}):
        if run.get(name) != found.get(name):
            raise OutputError(
                f"the run that was interrupted is another one: {name} differs",
                where=str(folder),
                expected=found.get(name, "none"),
                found=run.get(name, "none"),
                mend="Resume it as it was started, or start anew with --overwrite",
            )


def _to_bytes(chunk: Chunk) -> bytes:
    arrays: dict[str, NDArray[Any]] = {_RECONSTRUCTION: chunk.reconstruction}
    layers = []
    for number, layer in enumerate(chunk.layers):
        units = {}
        for name in _COLUMNS:
            arrays[f"{number}/{name}"] = _narrow(getattr(layer, name))
        for name, trace in layer.states.items():
            arrays[f"{number}/states/{name}"], units[name] = trace
        layers.append({"name": layer.name, "shape": layer.shape, "units": units})
    arrays = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    said = json.dumps(layers)
    return save(arrays, metadata={"layers": said, "sha256": _sha256(arrays, said)})


def _read(file: Path) -> Chunk | None:
    """Return the chunk in a file, or None if it is damaged."""
    with suppress(OSError, SafetensorError, KeyError, ValueError):
        with safe_open(file, framework="numpy") as opened:
            said = opened.metadata() or {}
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        if said["sha256"] == _sha256(arrays, said["layers"]):
            return _chunk(arrays, json.loads(said["layers"]))
    return None


def _chunk(arrays: Mapping[str, NDArray[Any]], layers: list[dict[str, Any]]) -> Chunk:
    found = (_layer(arrays, number, said) for number, said in enumerate(layers))
    return Chunk(tuple(found), arrays[_RECONSTRUCTION])


def _layer(arrays: Mapping[str, NDArray[Any]], number: int, said: Mapping[str, Any]) -> LayerSpikes:
    return LayerSpikes(
        said["name"],
        tuple(said["shape"]),
        **{name: arrays[f"{number}/{name}"] for name in _COLUMNS},
        states={
            name: Trace(arrays[f"{number}/states/{name}"], units)
            for name, units in said["units"].items()
        },
    )


def _narrow(values: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Return indices in the smallest type that holds them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="numpy") as opened:
            yield opened
    except (OSError, SafetensorError) as error:
        raise _lost(file) from error


def _lost(file: Path) -> OutputError:
    return OutputError(
        "what was done of a run cannot be read any more",
        where=str(file),
        mend="Run it again with --resume: what is missing is done anew",
    )


def _sha256(arrays: Mapping[str, NDArray[Any]], said: str) -> str:
    hashed = hashlib.sha256(said.encode())
    for name in sorted(arrays):
        values = arrays[name]
        hashed.update(f"{name}{values.dtype}{values.shape}".encode())
        hashed.update(values.tobytes())
    return hashed.hexdigest()
