"""Inspection of an HDF5 file from strangers, as a program: ``python inspection.py FILE [texts]``.

It is a separate process, with limits of time and memory, because the HDF5 library may loop or
crash on a damaged file. It imports nothing of bioae, to start at once. Its status is 0 if the file
is safe to read; otherwise its output says why it is not.

A safe file holds all that it declares, as groups and arrays of numbers: no links to other places,
no external storage, no virtual arrays, no storage that is missing, shared or compressed by more
than zlib can, no filters but zlib's and shuffling, and no values of variable length; or, with
``texts``, none but texts that were read here, within the limits.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import h5py
from h5py import h5a, h5d, h5g, h5l, h5o, h5r, h5t, h5z

__all__ = ["Chunk", "Refused", "deflated_chunks", "inflate", "main", "time_limit"]

# A sane structure takes 0.02 s, and zlib makes over 200 MB/s, some 50 times the size of a file.
_SECONDS, _BYTES_PER_SECOND = 7, 5_000_000
_MEMORY = 400 * 2**20
_MOST_INFLATED = 1032  # the limit of zlib's format
_PIECE = 2**20
_REFERENCE = 16  # bytes of a text of variable length in its array: the text is stored elsewhere
_SHUFFLE, _DEFLATE = h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE
_PIPELINES: tuple[list[int], ...] = ([], [_SHUFFLE], [_DEFLATE], [_SHUFFLE, _DEFLATE])
_DIMENSION = b"This is a netCDF dimension but not a netCDF variable."


class Refused(Exception):  # noqa: N818 - an answer
    """The reason why a file is not safe."""


class Chunk(NamedTuple):
    """A piece of an array: its place in the file, its bytes there and after inflating."""

    place: int
    stored: int
    size: int
    deflated: bool


def deflated_chunks(path: Path, *, texts: bool = False) -> list[Chunk]:
    """Check the structure of a file, and return the chunks that have to be inflated.

    Parameters
    ----------
    path
        The file.
    texts
        Whether to allow arrays of texts, and read them.

    Raises
    ------
    Refused
        If the file is not safe.
    """
    chunks: list[Chunk] = []
    with h5py.File(path, "r") as file:
        if file.userblock_size:
            raise Refused("it begins with something else")
        size = path.stat().st_size
        addresses: set[int] = set()
        references: list[Any] = []
        for name, opened in _objects(file, addresses):
            references += _references(opened)
            if isinstance(opened, h5d.DatasetID):
                chunks += _storage(name, opened, size, texts=texts)
        if sum(chunk.stored for chunk in chunks) > size:
            raise Refused("arrays share their storage")
        if not all(_address(file, reference) in addresses for reference in references):
            raise Refused("a reference leads to something else")
    return [chunk for chunk in chunks if chunk.deflated]


def inflate(file: IO[bytes], chunk: Chunk) -> None:
    """Check that a chunk inflates to its size, in little memory.

    Raises
    ------
    Refused
        If it does not.
    """
    file.seek(chunk.place)
    inflating, left, size, waiting = zlib.decompressobj(), chunk.stored, 0, b""
    while not inflating.eof and size <= chunk.size and (left or waiting):
        if not waiting:
            waiting = file.read(min(left, _PIECE))
            left -= len(waiting)
        size += len(inflating.decompress(waiting, _PIECE))
        waiting = inflating.unconsumed_tail
    # The last bytes of output may wait in zlib although all input is consumed.
    while not inflating.eof and size <= chunk.size:
        piece = inflating.decompress(b"", _PIECE)
        if not piece:
            break
        size += len(piece)
    if not inflating.eof or size != chunk.size:
        raise Refused("a compressed array has another size than declared")


def time_limit(path: Path) -> float:
    """Return the seconds that the inspection of a file may take."""
    return _SECONDS + path.stat().st_size / _BYTES_PER_SECOND


def main() -> int:
    """Inspect the file that the command line names."""
    path = Path(sys.argv[1])
    _limit_memory()
    try:
        # The signal ends the process, even within the library.
        signal.setitimer(signal.ITIMER_REAL, time_limit(path))
        chunks = deflated_chunks(path, texts="texts" in sys.argv[2:])
        with path.open("rb") as file:
            for chunk in chunks:
                inflate(file, chunk)
    except Refused as refused:
        print(refused)
        return 1
    except Exception as error:  # noqa: BLE001 - of the library, of any class
        print(f"{error}" or type(error).__name__)
        return 1
    return 0


def _limit_memory() -> None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux
        return
    limit = pages * os.sysconf("SC_PAGE_SIZE") + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _objects(file: h5py.File, addresses: set[int]) -> Iterator[tuple[str, Any]]:
    """Open all groups and arrays, and note their addresses."""
    waiting: list[tuple[str, Any]] = [("", h5g.open(file.id, b"/"))]
    addresses.add(h5o.get_info(waiting[0][1]).addr)
    while waiting:
        path, opened = waiting.pop()
        yield path or "/", opened
        if not isinstance(opened, h5g.GroupID):
            continue
        names: list[bytes] = []
        opened.links.iterate(names.append)
        for name in names:
            child = f"{path}/{name.decode(errors='replace')}"
            if opened.links.get_info(name).type != h5l.TYPE_HARD:
                raise Refused(f"{child} is a link to another place")
            info = h5o.get_info(opened, name)
            if info.addr in addresses:
                raise Refused(f"{child} has two names")
            if info.type not in (h5o.TYPE_GROUP, h5o.TYPE_DATASET):
                raise Refused(f"{child} is neither a group nor an array")
            addresses.add(info.addr)
            waiting.append((child, h5o.open(opened, name)))


def _references(opened: Any) -> list[Any]:
    """Read all attributes, and return the references that those of dimensions hold."""
    owner = h5py.Group(opened) if isinstance(opened, h5g.GroupID) else h5py.Dataset(opened)
    names: list[bytes] = []
    h5a.iterate(opened, names.append)
    references: list[Any] = []
    for name in names:
        value = owner.attrs[name.decode()]
        if name == b"DIMENSION_LIST":
            references += [each for axis in value for each in axis]
        elif name == b"REFERENCE_LIST":
            references += [each[0] for each in value]
    return references


def _address(file: h5py.File, reference: Any) -> int | None:
    try:
        address: int = h5o.get_info(h5r.dereference(reference, file.id)).addr
    except (KeyError, ValueError):  # to nothing
        return None
    return address


def _storage(name: str, opened: Any, limit: int, *, texts: bool) -> list[Chunk]:
    """Check the type and the storage of an array, and return its chunks."""
    plan = opened.get_create_plist()
    layout = plan.get_layout()
    if layout == h5d.VIRTUAL or plan.get_external_count():
        raise Refused(f"the data of {name} are in another file")
    kind = opened.get_type()
    text = texts and kind.get_class() == h5t.STRING
    truth = kind.get_class() == h5t.ENUM and kind.dtype == bool
    number = kind.get_class() in (h5t.INTEGER, h5t.FLOAT) or truth
    if opened.shape is None or not (text or number):
        raise Refused(f"{name} holds no numbers")
    size = _REFERENCE if _is_variable(opened) else opened.get_type().get_size()
    declared = math.prod(opened.shape) * size
    if _is_dimension(opened):
        declared = 0 if not opened.get_storage_size() else declared
    if layout == h5d.CHUNKED:
        chunks = _chunks(name, opened, plan, size, missing=not declared)
    elif layout == h5d.CONTIGUOUS and declared:
        place, stored = opened.get_offset(), opened.get_storage_size()
        if place is None or stored != declared:
            raise Refused(f"{name} declares {declared} bytes and has none")
        chunks = [Chunk(place, declared, declared, deflated=False)]
    else:
        chunks = []
    if any(chunk.place + chunk.stored > limit for chunk in chunks):
        raise Refused(f"{name} ends after the file")
    if text:
        _read_texts(name, opened, chunks)
    return chunks


def _is_variable(opened: Any) -> bool:
    kind = opened.get_type()
    return kind.get_class() == h5t.STRING and bool(kind.is_variable_str())


def _read_texts(name: str, opened: Any, chunks: list[Chunk]) -> None:
    if any(chunk.deflated for chunk in chunks):
        raise Refused(f"{name} holds compressed texts")
    h5py.Dataset(opened)[()]  # texts of variable length may share their storage


def _is_dimension(opened: Any) -> bool:
    """Return whether an array is only the length of a dimension, whose values nobody reads."""
    return h5a.exists(opened, b"NAME") and _DIMENSION in bytes(
        h5py.Dataset(opened).attrs.get("NAME", b"")
    )


def _chunks(name: str, opened: Any, plan: Any, size: int, *, missing: bool) -> list[Chunk]:
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if filters not in _PIPELINES:
        raise Refused(f"{name} is compressed in an unknown way")
    whole = math.prod(plan.get_chunk()) * size
    expected = math.prod(
        -(-length // step) for length, step in zip(opened.shape, plan.get_chunk(), strict=True)
    )
    infos: list[Any] = []
    opened.chunk_iter(infos.append)
    offsets = {info.chunk_offset for info in infos}
    if not missing and not len(infos) == len(offsets) == expected:
        raise Refused(f"{name} declares {expected} blocks and has {len(offsets)}")
    chunks = []
    for info in infos:
        deflated = _DEFLATE in filters and not info.filter_mask >> filters.index(_DEFLATE) & 1
        most = info.size * (_MOST_INFLATED if deflated else 1)
        if whole > most or (not deflated and whole != info.size):
            raise Refused(f"{name} declares blocks of {whole} bytes, with {info.size} stored")
        chunks.append(Chunk(info.byte_offset, info.size, whole, deflated))
    return chunks


if __name__ == "__main__":
    sys.exit(main())
