"""Configurations of runs: by gradients or by rules, told by their tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.errors import NetworkError
from bioae.runs.config import tables_of
from bioae.runs.rules.config import LearningConfig

if TYPE_CHECKING:
    from bioae.trainers.training.config import TrainingConfig


def load_configuration(
    source: Mapping[str, Any] | Path | str,
    settings: Mapping[str, Any] | None = None,
    *,
    init: Mapping[str, str | None] | None = None,
    rule: str | None = None,
) -> TrainingConfig | LearningConfig:
    """Read the configuration of a run: by rules with a table ``[learning]``, else by gradients.

    `source`: the file, or the tables that it would hold.
    `settings`: tables whose keys replace those of the source.
    `init`: keys of ``[training.init]`` that replace those of the source; None is ignored.
    `rule`: the synapse model of ``[learning]`` in place of that of the source.

    Raises `NetworkError` if there is no such file, or it is not TOML, or a key or value does not
    fit.
    """
    tables, where = tables_of(source)
    tables = _changed(tables, settings or {})
    changes = {key: value for key, value in (init or {}).items() if value is not None}
    if "learning" in tables:
        _check_rules(tables, changes, where)
        if rule is not None:
            tables = _changed(tables, {"learning": {"rule": rule}})
        return LearningConfig.from_mapping(tables, where)
    if rule is not None:
        raise NetworkError(
            "this network is trained by gradients", where="--rule",
            hint="Leave it out, or write a table [learning] in place of [training]",
        )  # fmt: skip
    from bioae.trainers.training.config import TrainingConfig

    return TrainingConfig.from_mapping(_with_init(tables, changes, where), where)


def _check_rules(tables: Mapping[str, Any], changes: Mapping[str, str], where: str | None) -> None:
    for name in ("training", "regularisers"):
        if name in tables:
            raise NetworkError(
                f"a network learns by rules or by gradients: found both [learning] and [{name}]",
                where=where, hint="Remove one of them",
            )  # fmt: skip
    if changes:
        raise NetworkError(
            "a network that learns by rules starts from its description",
            where=", ".join(f"--{'init' if key == 'model' else key}" for key in changes),
            hint="Leave it out",
        )


def _with_init(
    tables: dict[str, Any], changes: Mapping[str, str], where: str | None
) -> dict[str, Any]:
    """Return tables with other keys in the table of the network to start from."""
    training = tables.get("training", {})
    if not changes or not isinstance(training, Mapping):
        return tables
    present = training.get("init")
    if isinstance(present, str):
        present = {"model": present}
    if not isinstance(present, Mapping | None):
        return tables
    init = {**(present or {}), **changes}
    if "model" not in init:
        raise NetworkError(
            "there is no trained network whose neuron or weights could be changed",
            where=f"{where}, training.init" if where else "training.init",
            found=", ".join(f"--{key} {value}" for key, value in changes.items()),
            hint="Name one with --init MODEL",
        )
    if "calibrate" in changes and init.get("neuron") is None:
        raise NetworkError(
            "no effect, because without another neuron model no weights are scaled",
            where="--calibrate", hint="Name one with --neuron, or leave out --calibrate",
        )  # fmt: skip
    return {**tables, "training": {**training, "init": init}}


def _changed(tables: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables with other values of some keys, one level deep."""
    changed = dict(tables)
    for name, table in settings.items():
        before = changed.get(name)
        merge = isinstance(before, Mapping) and isinstance(table, Mapping)
        changed[name] = {**(before or {}), **table} if merge else table
    return changed
