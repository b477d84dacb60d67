"""HDF5 files from strangers: nothing but the file is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py


def check_hdf5(path: Path) -> None:
    """Check that a file refers to no other one.

    Raises `ValueError` if it has external links, external storage or virtual arrays; `OSError`,
    `RuntimeError` or `KeyError` if it is no HDF5 file, or damaged.
    """
    with h5py.File(path) as file:
        name = file.visititems_links(_linked) or file.visititems(_elsewhere)
    if name is not None:
        raise ValueError(f"/{name} has its data in another file")


def _linked(name: str, link: Any) -> str | None:
    return name if isinstance(link, h5py.ExternalLink) else None


def _elsewhere(name: str, found: Any) -> str | None:
    elsewhere = isinstance(found, h5py.Dataset) and (found.is_virtual or found.external)
    return name if elsewhere else None
