"""``bioae data``: list, fetch and locate data sets."""

from __future__ import annotations

import json as json_format
from pathlib import Path

from bioae.cli.options import Json
from bioae.cli.tables import print_entries
from bioae.datasets import DATA_SETS, DataSet, fetch, locate
from bioae.errors import DataError


def list_data(*, json: Json = False) -> None:
    """List the named data sets."""
    rows = [(known, locate(known.name)) for known in DATA_SETS.values()]
    if json:
        print(json_format.dumps([_entry(known, folder) for known, folder in rows]))
        return
    entries = []
    for known, folder in rows:
        place = folder or f"not fetched yet: bioae data fetch {known.name}"
        counts = ", ".join(f"{count:,} {split}" for split, count in known.examples.items())
        about = f"{counts}; {known.licence}; {place}"
        entries.append((known.name, (known.description, about)))
    print_entries(entries)


def fetch_data(name: str, /) -> None:
    """Fetch a data set if it is missing, and print its folder.

    Parameters
    ----------
    name
        The data set: sample, mnist or fashion-mnist.
    """
    print(fetch(name))


def path_data(name: str, /) -> None:
    """Print the folder of a data set.

    Parameters
    ----------
    name
        The data set: sample, mnist or fashion-mnist.
    """
    folder = locate(name)
    if folder is None:
        raise DataError(
            "the data set is not on this machine", where=name,
            hint=f"Fetch it with bioae data fetch {name}, or set BIOAE_DATA to a folder with it",
        )  # fmt: skip
    print(folder)


def _entry(known: DataSet, folder: Path | None) -> dict[str, object]:
    return {
        "name": known.name,
        "description": known.description,
        "source": known.source,
        "licence": known.licence,
        "examples": dict(known.examples),
        "path": None if folder is None else str(folder),
    }
