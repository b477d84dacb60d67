"""Training configurations of auto-encoders: a recipe in a file, and changes to it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from bioae.networks import NetworkConfig

__all__ = ["changed", "recipe"]


def recipe(name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a recipe of this folder as the tables of a training configuration.

    Parameters
    ----------
    name
        The name of the file, without its ending.
    changes
        Tables that replace those of the recipe key by key. Layers may be given as a table by name,
        such as ``{"network": {"layers": {"latent": {"units": 10}}}}``, and the table
        ``regularisers`` is replaced as a whole.
    """
    text = (files(__package__) / f"{name}.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    changes = dict(changes or {})
    if "regularisers" in changes:
        tables.pop("regularisers", None)
    network = NetworkConfig.from_mapping(tables["network"], where=f"{name}.toml").to_mapping()
    layers = changes.get("network", {}).get("layers")
    if isinstance(layers, Mapping):
        named = [changed(layer, layers.get(layer["name"], {})) for layer in network["layers"]]
        changes["network"] = {**changes["network"], "layers": named}
    return changed({**tables, "network": network}, changes)


def changed(tables: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables with some keys replaced, in tables of tables too."""
    both = dict(tables)
    for key, value in changes.items():
        old = both.get(key)
        both[key] = (
            changed(old, value)
            if isinstance(old, Mapping) and isinstance(value, Mapping)
            else value
        )
    return both
