"""Loading of images, signals and events by name or path."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bioae.checks import instance, whole
from bioae.datasets.array_files import ARRAY_FILES, BOTH, ArrayFile, Check
from bioae.datasets.arrays import read_array
from bioae.datasets.catalogue import DATA_SETS, unknown_data_set
from bioae.datasets.data import Data
from bioae.datasets.idx import read_idx
from bioae.datasets.pictures import has_pictures, load_pictures
from bioae.datasets.store import Split, fetch, file_names, find_file, indices_name
from bioae.errors import DataError
from bioae.inputs import check_input

__all__ = ["BOTH", "check_data", "first", "load"]


def load(
    name_or_path: str | Path = "sample",
    split: Split = "train",
    limit: int | None = None,
    *,
    check: Check | None = None,
) -> Data:
    """Load data by the name of a data set, or from a user's file.

    Parameters
    ----------
    name_or_path
        ``"sample"`` (digits that come with bioae), ``"mnist"`` or ``"fashion-mnist"`` (from the
        folder in ``BIOAE_DATA``, or fetched); or a folder of IDX files under MNIST's file names, or
        of PNG files, in a folder for each class if classes are known; or an ``.npy`` file of
        images; or an ``.npz`` or HDF5 file of ``images``, ``signals`` or lists of events and, if
        known, ``labels`` and ``targets``, see `docs/data.md`. A name takes precedence over a folder
        of the same name; write ``./mnist`` for the folder.
    split
        ``"train"`` or ``"test"``. A file with a single set of examples returns it for both, as
        the split ``"all"``.
    limit
        Return the first `limit` examples. The sample is ordered so that they are balanced over the
        classes.
    check
        Called with the kind and the shapes that an ``.npz`` or HDF5 file declares, before its large
        arrays are read; raises an error to refuse them.

    Raises
    ------
    DataError
        If there is no such data set or file, a file is damaged, its arrays do not fit, or there are
        fewer examples than `limit`.
    """
    if split not in get_args(Split):
        raise DataError("unknown split", where="split", expected="train or test", found=f"{split}")
    if limit is not None:
        whole(limit, "limit", least=1, error=DataError)
    loaded = _load(name_or_path, split, check)
    return loaded if limit is None else first(loaded, limit, where=f"{loaded.name}, split {split}")


def check_data(data: Any, name: str) -> None:
    """Refuse what is no data set.

    Raises
    ------
    DataError
        If it is not.
    """
    instance(
        data, name, Data, error=DataError,
        hint="Make data of arrays: bioae.datasets.convert(images, labels=labels)",
    )  # fmt: skip


def first(data: Data, limit: int, *, where: str | None = None) -> Data:
    """Return the first `limit` examples.

    Raises
    ------
    DataError
        If there are fewer; the error names `where`.
    """
    if limit > len(data):
        raise DataError(
            f"there are too few {data.kind}",
            where=where,
            expected=f"a limit of at most {len(data)}",
            found=f"{limit}",
        )
    return data[np.arange(limit)]


def _load(name_or_path: str | Path, split: Split, check: Check | None) -> Data:
    if isinstance(name_or_path, str) and name_or_path in DATA_SETS:
        return _from_folder(fetch(name_or_path), split, name_or_path)
    path = check_input(name_or_path, DataError, "data set")
    if path.is_dir():
        if not _has_idx(path) and has_pictures(path):
            return load_pictures(path, split, BOTH, check)
        return _from_folder(path, split, str(path))
    if path.suffix == ".npy":
        return Data.of_images(read_array(path), name=str(path), split=BOTH)
    if path.suffix in ARRAY_FILES:
        return ArrayFile.of(path, split).load(check)
    if path.exists():
        raise DataError(
            "the kind of file is unknown",
            where=str(path),
            expected="a folder of IDX or PNG files, or an .npz, .npy, .h5 or .hdf5 file",
        )
    name = str(name_or_path)
    if name in DATA_SETS:  # a path without a file
        return _from_folder(fetch(name), split, name)
    expected = f"{', '.join(DATA_SETS)}, a folder, or an .npz, .npy or HDF5 file"
    raise unknown_data_set(name, expected)


def _has_idx(folder: Path) -> bool:
    return any(find_file(folder, split, "images") for split in get_args(Split))


def _from_folder(folder: Path, split: Split, name: str) -> Data:
    path = find_file(folder, split, "images")
    if path is None:
        raise DataError(
            f"there are no images of the split {split}",
            where=str(folder),
            expected=f"one of {', '.join(file_names(split, 'images'))}, or PNG files",
        )
    labels, indices = find_file(folder, split, "labels"), folder / indices_name(split)
    return Data.of_images(
        _bytes(path, 3),
        labels=None if labels is None else _bytes(labels, 1),
        indices=read_idx(indices, ndim=1) if indices.exists() else None,
        name=name,
        split=split,
    )


def _bytes(path: Path, ndim: int) -> NDArray[np.uint8]:
    values = read_idx(path, ndim=ndim)
    if values.dtype != np.uint8:
        raise DataError(
            "the IDX file holds no bytes",
            where=str(path),
            expected="unsigned bytes (type code 0x08)",
            found=f"{values.dtype}",
        )
    return values
