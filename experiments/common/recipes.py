"""Training configurations of experiments: tables in TOML files, and changes to them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[1]


def read(name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the tables of a file, with some of them changed (see `changed`).

    `name`: the path of the file in the folder of experiments, without its ending: ``"srnn"``;
    `changes`: tables that replace those of the file.
    """
    tables = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    return changed(tables, changes or {})


def changed(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables with some keys replaced, in tables of tables too.

    A list of named tables, such as the layers of a network, is changed by name:
    ``{"network": {"layers": {"latent": {"units": 10}}}}``. An empty table, or one of another
    kind or name, takes the place of the old one.

    Raises `ValueError` if a list has no table of that name.
    """
    both = dict(tables)
    for key, value in changes.items():
        old = both.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and _same_kind(old, value):
            both[key] = changed(old, value)
        elif isinstance(old, list) and isinstance(value, Mapping):
            unknown = value.keys() - {each["name"] for each in old}
            if unknown:
                raise ValueError(f"{key}: there is no table {min(unknown)!r}")
            both[key] = [changed(each, value.get(each["name"], {})) for each in old]
        else:
            both[key] = value
    return both


def _same_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return bool(new) and all(key not in new or new[key] == old.get(key) for key in ("kind", "name"))
