"""HDF5 files from strangers: one check of the structure before anything is read.

The HDF5 library is trusted to raise on damage. Rejected here are references to other files, sizes
above what is stored, and anything but groups and arrays of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import h5py
from h5py import h5d, h5o, h5t, h5z

_MOST_INFLATED = 1032  # bytes per stored byte: the limit of zlib's format
_FILTERS = (h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE)
#: The name of an array without values, whose shape is the length of a dimension.
_DIMENSION = "This is a netCDF dimension but not a netCDF variable."
_REFERENCE = 16  # bytes of a text of variable length in its array: the text is stored elsewhere


def check_hdf5(path: Path, *, texts: bool = False) -> None:
    """Check that a file refers to no other one, and stores what it declares.

    Parameters
    ----------
    path
        The file.
    texts
        Whether to allow arrays of texts in addition to those of numbers.

    Raises
    ------
    ValueError
        If the file has external storage, external or soft links, virtual arrays, filters other than
        zlib and shuffling, values of variable length, objects with two names, or arrays larger than
        their storage can hold.
    OSError, RuntimeError, KeyError
        If it is no HDF5 file, or damaged.
    """
    stored = 0
    with h5py.File(path, "r") as file:
        for name, array in _arrays(file, {h5o.get_info(file.id).addr}):
            _check_storage(name, array)
            text = texts and array.id.get_type().get_class() == h5t.STRING
            if not (text or _is_number(array)):
                raise ValueError(f"{name} holds no numbers")
            _check_size(name, array)
            stored += array.id.get_storage_size()
    if stored > (size := path.stat().st_size):
        raise ValueError(f"the arrays declare {stored} stored bytes, and the file has {size}")


def _arrays(group: h5py.Group, known: set[int]) -> Iterator[tuple[str, h5py.Dataset]]:
    """Yield all arrays with their paths; `known` holds the addresses of objects, to find cycles."""
    for key in group:
        name = f"{group.name.rstrip('/')}/{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise ValueError(f"{name} is a link to another place")
        found = group[key]
        address = h5o.get_info(found.id).addr
        if address in known:
            raise ValueError(f"{name} has two names")
        known.add(address)
        if isinstance(found, h5py.Group):
            yield from _arrays(found, known)
        elif isinstance(found, h5py.Dataset):
            yield name, found
        else:
            raise ValueError(f"{name} is neither a group nor an array")


def _check_storage(name: str, array: h5py.Dataset) -> None:
    plan = array.id.get_create_plist()
    if plan.get_layout() == h5d.VIRTUAL or plan.get_external_count():
        raise ValueError(f"{name} has its data in another file")
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    if not set(filters) <= set(_FILTERS):
        raise ValueError(f"{name} is compressed in an unknown way")


def _is_number(array: h5py.Dataset) -> bool:
    kind = array.id.get_type()
    boolean = kind.get_class() == h5t.ENUM and kind.dtype == bool
    return array.shape is not None and (kind.get_class() in (h5t.INTEGER, h5t.FLOAT) or boolean)


def _check_size(name: str, array: h5py.Dataset) -> None:
    kind, stored = array.id.get_type(), array.id.get_storage_size()
    variable = kind.get_class() == h5t.STRING and kind.is_variable_str()
    declared = math.prod(array.shape or ()) * (_REFERENCE if variable else kind.get_size())
    if not stored and _DIMENSION in str(array.attrs.get("NAME")):
        return
    if declared > stored * (_MOST_INFLATED if array.compression else 1):
        raise ValueError(f"{name} declares {declared} bytes, and stores {stored}")
