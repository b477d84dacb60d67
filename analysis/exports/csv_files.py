"""Results as CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from bioae.analysis.exports.frames import to_pandas
from bioae.files import atomic_output

__all__ = ["to_csv"]


def to_csv(
    tree: xr.DataTree,
    path: Path | str,
    *,
    layers: Sequence[str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a folder of three CSV files: ``spikes.csv``, ``neurons.csv`` and ``layers.csv``.

    Their columns are those of `bioae.analysis.exports.to_pandas`. Numbers are written in full, so
    that reading them gives the same ones; what is undefined is an empty cell. The folder is written
    whole or not at all.

    Parameters
    ----------
    path
        The folder.
    layers
        Which; by default all.
    overwrite
        Whether a folder that is there may be replaced, with all that is in it.

    Raises
    ------
    ResultError
        If there is no such layer.
    InputError
        If pandas is not installed.
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    tables = to_pandas(tree, layers)
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.mkdir()
        for name, table in tables.items():
            table.to_csv(temporary / f"{name}.csv", index=False)
