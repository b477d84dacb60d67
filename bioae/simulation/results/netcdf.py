"""Results as netCDF files, written piece by piece: at most two pieces are in memory.

A piece holds some examples of a result. The file does not depend on the pieces, to the byte:
variables along examples or spikes are written in blocks of a fixed length. An example whose repeats
are larger than a block is one block in a piece, and several in the file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import h5netcdf
import h5py
import numpy as np
from numpy.typing import NDArray

from bioae.errors import OutputError
from bioae.files import atomic_output
from bioae.inputs import as_path

if TYPE_CHECKING:
    import xarray as xr

_CUT = ("example", "spike")  # the dimensions that are cut into pieces
_BLOCK_BYTES = 2**20
_BLOCKS = 16  # written at once
_COMPRESSION = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
_TIME = "spike_time_ms"


class Piece(Protocol):
    """Some examples of a result."""

    @property
    def groups(self) -> Sequence[str]:
        """The paths of the groups: the root first, then the layers in order."""

    def sizes(self, group: str) -> Mapping[str, int]:
        """Return the sizes of a group's dimensions."""

    def dataset(self, group: str) -> xr.Dataset:
        """Return a group, without inherited coordinates, as it is stored (`in_steps`)."""


def in_steps(layer: xr.Dataset, root: Mapping[Any, Any]) -> xr.Dataset:
    """Return a layer whose times are steps with a `scale_factor`, which xarray multiplies by.

    `root` are the attributes of the result. Times that would not keep their bits stay.
    """
    times, dt_ms, steps = layer[_TIME].to_numpy(), root["dt_ms"], root["steps"]
    step = np.rint(times / dt_ms)
    if not ((step * dt_ms == times) & (step >= 0) & (step < steps)).all():
        return layer
    stored = step.astype(np.min_scalar_type(steps))
    attributes = {**layer[_TIME].attrs, "scale_factor": float(dt_ms)}
    return layer.assign({_TIME: ("spike", stored, attributes)})


def write_pieces(pieces: Sequence[Piece], path: Path | str, *, overwrite: bool = False) -> None:
    """Write a result in pieces, whole or not at all; see `write_result`.

    The pieces are in order, at least one, all with the same groups and variables.
    """
    check_replaced(path)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        _Disk(temporary, "w+b") as disk,
    ):
        with h5netcdf.File(disk, "w") as file:
            for group in pieces[0].groups:
                target = file if group == "/" else file.create_group(group)
                _write_group(target, group, pieces, disk)
        disk.check()


def check_replaced(path: Path | str) -> None:
    """Raise OutputError unless a file is missing, empty, or the result of a simulation."""
    path = as_path(path, OutputError, "output")
    if path.is_file() and path.stat().st_size and not _is_result(path):
        raise OutputError(
            "the output would replace a file that is not a result, which was kept", where=str(path),
            expected="a new file, or the result of a simulation (netCDF)",
            hint="Choose another path, or remove the file",
        )  # fmt: skip


def _is_result(path: Path) -> bool:
    """Return whether a file is a result, or one that is damaged."""
    if not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path) as file:
            return "schema_version" in file.attrs
    except (OSError, RuntimeError, KeyError):
        return True


def write_result(tree: xr.DataTree, path: Path | str, *, overwrite: bool = False) -> None:
    """Write a result as a compressed netCDF4 file, whole or not at all.

    Equal results give equal bytes. Selected or reordered examples and repeats are written with
    their spikes, in their order.

    Raises
    ------
    ResultError
        If this is not a result that `bioae.open_result` reads, it has lost the dimension of its
        examples or repeats, or has one of them twice, or a layer has lost neurons.
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    write_pieces([_Whole(tree)], path, overwrite=overwrite)


class _Whole:
    """A result in memory, as the only piece of itself."""

    def __init__(self, tree: xr.DataTree) -> None:
        from bioae.simulation.results.schema import check_result
        from bioae.simulation.results.tree import group_of, in_order

        check_result(tree)
        tree = tree.copy()  # whose root this is, if the result is a part of another tree
        root = group_of(tree, "/")
        self._data = {
            node.path: self._stored(in_order(group_of(tree, node.path), root), root)
            for node in tree.subtree
            if node.parent is None or node.data_vars
        }

    @staticmethod
    def _stored(data: xr.Dataset, root: xr.Dataset) -> xr.Dataset:
        return in_steps(data, root.attrs) if _TIME in data else data

    @property
    def groups(self) -> list[str]:
        return list(self._data)

    def sizes(self, group: str) -> dict[str, int]:
        return {str(name): size for name, size in self.dataset(group).sizes.items()}

    def dataset(self, group: str) -> xr.Dataset:
        return self._data[group]


class _Disk(io.FileIO):
    """A file that keeps its failures for `check`.

    A full disk or an interrupt inside the HDF5 library would crash the process.
    """

    _failure: BaseException | None = None

    def check(self) -> None:
        """Raise the first failure."""
        if self._failure is not None:
            raise self._failure

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while written < len(view) and self._failure is None:
                written += super().write(view[written:])
        except BaseException as failure:  # noqa: BLE001 - an interrupt too
            self._failure = failure
        return len(view)

    def readinto(self, buffer: Any) -> int:
        length = super().readinto(buffer)
        return length if self._failure is None else memoryview(buffer).nbytes

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as failure:
            self._failure = self._failure or failure
            return size or 0


def _write_group(target: Any, group: str, pieces: Sequence[Piece], disk: _Disk) -> None:
    first = pieces[0].dataset(group)
    totals = {axis: sum(piece.sizes(group).get(axis, 0) for piece in pieces) for axis in _CUT}
    sizes = {axis: totals.get(str(axis), size) for axis, size in first.sizes.items()}
    target.attrs.update(first.attrs)
    for axis, size in sizes.items():
        if not _inherits(target, axis):
            target.dimensions[axis] = size
    names = sorted(map(str, first.variables))
    axis_of = {name: next(iter(first.variables[name].dims), None) for name in names}
    for name in names:
        if axis_of[name] not in _CUT:
            _create(target, first, name, sizes, None)[...] = first.variables[name].to_numpy()
            disk.check()
    for axis in _CUT:
        cut = [name for name in names if axis_of[name] == axis]
        row = max((_row_bytes(first.variables[name], sizes) for name in cut), default=1)
        block = max(1, min(totals[axis], _BLOCK_BYTES // max(row, 1)))
        created = {name: _create(target, first, name, sizes, block) for name in cut}
        datasets = chain([first], (piece.dataset(group) for piece in pieces[1:]))
        for at, rows in _blocks(cut, datasets, block * _BLOCKS):
            for name, values in rows.items():
                created[name][at : at + len(values)] = values
                disk.check()


def _inherits(target: Any, axis: object) -> bool:
    while target.name != "/":
        target = target.parent
        if axis in target.dimensions:
            return True
    return False


def _blocks(
    names: Sequence[str], datasets: Iterable[xr.Dataset], block: int
) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
    """Yield the rows of all pieces in blocks of a fixed length, each with its first place."""
    at = 0
    left: dict[str, NDArray[Any]] = {}
    for dataset in datasets if names else ():
        values = {name: dataset.variables[name].to_numpy() for name in names}
        left = {name: np.concatenate([left[name], values[name]]) for name in left} or values
        while len(left[names[0]]) >= block:
            yield at, {name: rows[:block] for name, rows in left.items()}
            left = {name: rows[block:] for name, rows in left.items()}
            at += block
    if left and len(left[names[0]]):
        yield at, left


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
