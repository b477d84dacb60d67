"""Results as netCDF files, written piece by piece: at most one piece is in memory.

A piece holds some examples of a result. The file does not depend on the pieces, to the byte:
variables along examples or spikes are written in blocks of a fixed length. An example whose repeats
are larger than a block is one block in a piece, and several in the file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.checks import instance
from bioae.errors import OutputError, ResultError
from bioae.files import atomic_output
from bioae.inputs import as_path
from bioae.simulation.results.root import check_tree
from bioae.simulation.results.tree import check_shape, group_of, in_order

__all__ = ["Piece", "check_replaced", "write_pieces", "write_result"]

_CUT = ("example", "spike")  # the dimensions that are cut into pieces
_BLOCK_BYTES = 2**20
_MARK = b"network_sha256"  # an attribute of every result; HDF5 does not compress attributes
_COMPRESSION = {"compression": "gzip", "compression_opts": 4, "shuffle": True}


class Piece(Protocol):
    """Some examples of a result."""

    @property
    def groups(self) -> Sequence[str]:
        """The paths of the groups: the root first, then the layers in order."""

    def sizes(self, group: str) -> Mapping[str, int]:
        """Return the sizes of a group's dimensions."""

    def dataset(self, group: str) -> xr.Dataset:
        """Return a group, without inherited coordinates."""


def write_pieces(pieces: Sequence[Piece], path: Path | str, *, overwrite: bool = False) -> None:
    """Write a result in pieces, whole or not at all.

    Parameters
    ----------
    pieces
        The pieces in order: at least one, all with the same groups and variables.
    path
        The file.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false or it is no result, or it cannot be written.
    """
    check_replaced(path)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        temporary.open("w+b", buffering=0) as opened,
    ):
        disk = _Disk(opened)
        with h5netcdf.File(disk, "w") as file:
            for group in pieces[0].groups:
                target = file if group == "/" else file.create_group(group)
                _write_group(target, [(piece, group) for piece in pieces], disk)
        disk.check()


def check_replaced(path: Path | str) -> None:
    """Refuse to replace a file that is not recognised as a result.

    Raises
    ------
    OutputError
        If it is another file, and not empty.
    """
    path = as_path(path, OutputError, "output")
    if path.is_file() and path.stat().st_size and not _is_result(path):
        raise OutputError(
            "the output would replace a file that is no result, which was kept",
            where=str(path),
            expected="a new file, or the result of a simulation (netCDF)",
            hint="Choose another path, or remove the file",
        )


def _is_result(path: Path) -> bool:
    """Return whether a file is a result, by its bytes: it may be damaged or open elsewhere."""
    if not h5py.is_hdf5(path):
        return False
    end = b""
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            if _MARK in end + block:
                return True
            end = (end + block)[-len(_MARK) :]
    return False


def write_result(tree: xr.DataTree, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a result as a compressed netCDF4 file, whole or not at all.

    Equal results give equal bytes. Of selected or reordered examples or repeats, their spikes are
    written, in their order.

    Raises
    ------
    ResultError
        If this is no result, it has lost the dimension of its examples or repeats, or has one of
        them twice, or a layer has lost neurons.
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    write_pieces([_Whole(tree)], path, overwrite=overwrite)


class _Whole:
    """A result in memory, as the only piece of itself."""

    def __init__(self, tree: xr.DataTree) -> None:
        instance(tree, "the result", xr.DataTree, error=ResultError)
        check_tree(tree, "schema_version")
        tree = tree.copy()  # whose root this is, if the result is a part of another tree
        root = group_of(tree, "/")
        self._data = {
            node.path: in_order(group_of(tree, node.path), root)
            for node in tree.subtree
            if node.parent is None or node.data_vars
        }
        for path, data in self._data.items():
            if "neuron" in data.sizes:
                check_shape(data, path)

    @property
    def groups(self) -> list[str]:
        return list(self._data)

    def sizes(self, group: str) -> dict[str, int]:
        return {str(name): size for name, size in self.dataset(group).sizes.items()}

    def dataset(self, group: str) -> xr.Dataset:
        return self._data[group]


class _Disk(io.RawIOBase):
    """A file that keeps its failures for `check`.

    A full disk or an interrupt inside the HDF5 library would crash the process.
    """

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raise the first failure."""
        if self._failure is not None:
            raise self._failure

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while written < len(view) and self._failure is None:
                written += self._file.write(view[written:])
        except BaseException as failure:  # noqa: BLE001 - an interrupt too
            self._failure = failure
        return len(view)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        length = self._file.readinto(view) or 0
        return length if self._failure is None else len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        try:
            return self._file.truncate(size)
        except OSError as failure:
            self._failure = self._failure or failure
            return size or 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _write_group(target: Any, pieces: Sequence[tuple[Piece, str]], disk: _Disk) -> None:
    piece, group = pieces[0]
    first = piece.dataset(group)
    sizes = dict(first.sizes)
    for dimension in _CUT:
        if dimension in sizes:
            sizes[dimension] = sum(piece.sizes(group)[dimension] for piece, group in pieces)
    target.attrs.update(first.attrs)
    for axis, size in sizes.items():
        if not _inherits(target, axis):
            target.dimensions[axis] = size
    cut: dict[str, list[str]] = {dimension: [] for dimension in _CUT}
    for name in sorted(map(str, first.variables)):
        variable = first.variables[name]
        if variable.dims and variable.dims[0] in cut:
            cut[str(variable.dims[0])].append(name)
        else:
            _create(target, first, name, sizes, None)[...] = variable.to_numpy()
        disk.check()
    for names in filter(None, cut.values()):
        created = _create_cut(target, first, names, sizes)
        _write_cut(created, pieces, disk)


def _inherits(target: Any, axis: object) -> bool:
    while target.name != "/":
        target = target.parent
        if axis in target.dimensions:
            return True
    return False


def _create_cut(
    target: Any, first: xr.Dataset, names: Sequence[str], sizes: Mapping[Any, int]
) -> dict[str, Any]:
    """Create variables along one dimension, in blocks of the same length."""
    row = max(_row_bytes(first.variables[name], sizes) for name in names)
    whole = sizes[first.variables[names[0]].dims[0]]
    block = max(1, min(whole, _BLOCK_BYTES // max(row, 1)))
    return {name: _create(target, first, name, sizes, block) for name in names}


def _write_cut(
    created: Mapping[str, Any], pieces: Sequence[tuple[Piece, str]], disk: _Disk
) -> None:
    at = 0
    length = next(iter(created.values())).chunks or (1,)
    for rows in _blocks([*created], pieces, length[0]):
        for name, values in rows.items():
            created[name][at : at + len(values)] = values
            disk.check()
        at += length[0]


def _blocks(
    names: Sequence[str], pieces: Sequence[tuple[Piece, str]], block: int
) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield the rows of all pieces, block by block."""
    waiting: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    count = 0
    for piece, group in pieces:
        dataset = piece.dataset(group)
        columns = {name: dataset.variables[name].to_numpy() for name in names}
        length, begin = len(columns[names[0]]), 0
        while begin < length:
            end = min(length, begin + block - count)
            for name, values in columns.items():
                waiting[name].append(values[begin:end])
            count += end - begin
            begin = end
            if count == block:
                yield {name: np.concatenate(parts) for name, parts in waiting.items()}
                waiting = {name: [] for name in names}
                count = 0
    if count:
        yield {name: np.concatenate(parts) for name, parts in waiting.items()}


def _create(
    target: Any, dataset: xr.Dataset, name: str, sizes: Mapping[Any, int], block: int | None
) -> Any:
    """Create a variable of the file, with the attributes that xarray would give it."""
    variable = dataset.variables[name]
    shape = tuple(sizes[dimension] for dimension in variable.dims)
    stored: dict[str, Any] = {}
    if shape and all(shape):
        chunks = [block or shape[0], *shape[1:]]
        if "repeat" in variable.dims[1:]:
            size = math.prod(chunks) * int(variable.dtype.itemsize)
            repeats = variable.dims.index("repeat")
            chunks[repeats] = max(1, min(chunks[repeats], chunks[repeats] * _BLOCK_BYTES // size))
        stored = {"chunks": tuple(chunks), **_COMPRESSION}
    created = target.create_variable(name, variable.dims, variable.dtype, **stored)
    created.attrs.update(variable.attrs)
    others = [
        str(other)
        for other in dataset.coords
        if other not in dataset.dims and {*dataset[other].dims} <= {*variable.dims}
    ]
    if others and name not in dataset.coords:
        created.attrs["coordinates"] = " ".join(sorted(others))
    return created


def _row_bytes(variable: xr.Variable, sizes: Mapping[Any, int]) -> int:
    others = [sizes[dimension] for dimension in variable.dims[1:]]
    return math.prod(others) * int(variable.dtype.itemsize)
