"""The files of a data set: in the package, in a user's folder, or in the cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from bioae.datasets.catalogue import DataSet, data_set
from bioae.datasets.data import Split
from bioae.errors import DataError, shortened
from bioae.files import user_cache
from bioae.progress import activity, counted

Kind = Literal["images", "labels"]

#: The environment variable that names a user's folder of data sets.
VARIABLE = "BIOAE_DATA"

_SAMPLE_FOLDER = Path(__file__).resolve().parents[1] / "data" / "mnist-sample"
_STEMS: dict[Split, str] = {"train": "train", "test": "t10k"}
_NDIM: dict[Kind, int] = {"images": 3, "labels": 1}


def file_names(split: Split, kind: Kind) -> tuple[str, ...]:
    """Return the names in use for MNIST's files, the usual one first."""
    stem = f"{_STEMS[split]}-{kind}"
    suffix = f"idx{_NDIM[kind]}-ubyte"
    return tuple(f"{stem}{mark}{suffix}{end}" for end in (".gz", "") for mark in "-.")


def indices_name(split: Split) -> str:
    """Return the name of the file of the images' indices in the full data set."""
    return f"{_STEMS[split]}-indices-idx1-int.gz"


def find_file(folder: Path, split: Split, kind: Kind) -> Path | None:
    """Return the IDX file of a split in a folder, or None."""
    paths = (folder / name for name in file_names(split, kind))
    return next((path for path in paths if path.exists()), None)


def locate(name: str) -> Path | None:
    """Return the folder of a data set of `DATA_SETS`, or None if it has to be fetched.

    The search goes through the package, the folder of the data set's name in that in
    ``BIOAE_DATA``, and the user's cache, in this order.

    Raises
    ------
    DataError
        If the name is unknown, or ``BIOAE_DATA`` is not a folder.
    """
    known = data_set(name)
    if not known.mirrors:
        return _SAMPLE_FOLDER
    folders = [_cache(name)]
    if (root := _own_folder()) is not None:
        folders = [root / name, *folders]
    return next((folder for folder in folders if _is_complete(folder)), None)


def fetch(name: str) -> Path:
    """Return the folder of a data set of `DATA_SETS`, after fetching missing files.

    Every file is checked against its SHA-256 checksum and kept in the user's cache.

    Raises
    ------
    DataError
        If the name is unknown, or no mirror provides the files.
    """
    known = data_set(name)
    folder = locate(name)
    # Files in the cache are checked again: pooch replaces a damaged one.
    if folder is not None and folder != _cache(name):
        return folder
    failures = []
    for mirror in known.mirrors:
        try:
            return _fetch_from(mirror, known)
        # requests' errors are OSErrors; pooch raises ValueError for a wrong checksum.
        except (OSError, ValueError) as error:
            line = str(error).partition("\n")[0] or type(error).__name__
            failures.append(f"{mirror}: {shortened(line)}")
    raise DataError(
        "the data set could not be fetched", where=name, found="; ".join(failures),
        hint=f"Connect to the internet, or set {VARIABLE} to a folder that holds all its IDX files "
        f"in {name}{os.sep}",
    )  # fmt: skip


def _fetch_from(mirror: str, known: DataSet) -> Path:
    import pooch

    folder = _cache(known.name)
    pooch.get_logger().setLevel("WARNING")
    files = pooch.create(path=folder, base_url=mirror, registry=dict(known.sha256))
    with counted(f"fetching {known.name}", len(known.sha256), unit="files") as report:
        for done, file in enumerate(known.sha256, 1):
            with activity(file):
                files.fetch(file)
            report(done)
    return folder


def _cache(name: str) -> Path:
    return user_cache() / "data" / name


def _own_folder() -> Path | None:
    if not os.environ.get(VARIABLE):
        return None
    root = Path(os.environ[VARIABLE]).expanduser()
    if not root.is_dir():
        hint = f"Set {VARIABLE} to a folder of data sets, or unset it"
        raise DataError("not a folder", where=f"{VARIABLE}={root}", hint=hint)
    return root


def _is_complete(folder: Path) -> bool:
    return all(find_file(folder, split, kind) for split in _STEMS for kind in _NDIM)
