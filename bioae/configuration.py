"""Configurations of runs: by gradients or by rules, told by their tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.errors import NetworkError
from bioae.inputs import check_input, read_toml

if TYPE_CHECKING:
    from bioae.runs.rules.config import LearningConfig
    from bioae.trainers.training.config import TrainingConfig

__all__ = ["Change", "load_configuration"]

#: Tables that replace keys of a configuration, by name.
Change = Mapping[str, Any]


def load_configuration(
    source: Mapping[str, Any] | Path | str,
    settings: Change | None = None,
    *,
    init: Mapping[str, str | None] | None = None,
    rule: str | None = None,
) -> TrainingConfig | LearningConfig:
    """Read the configuration of a run: by rules with a table ``[learning]``, else by gradients.

    Parameters
    ----------
    source
        The file, or the tables that it would hold.
    settings
        Tables whose keys replace those of the source.
    init
        Keys of ``[training.init]`` that replace those of the source; None is ignored.
    rule
        The synapse model of ``[learning]`` in place of that of the source.

    Raises
    ------
    NetworkError
        If there is no such file, or it is not TOML, or a key or value does not fit.
    """
    values, where = source, None
    if not isinstance(values, Mapping):
        path = check_input(values, NetworkError, "training configuration")
        values, where = read_toml(path, "training configuration", error=NetworkError), str(path)
    values = _changed(values, settings or {})
    changes = {key: value for key, value in (init or {}).items() if value is not None}
    if "learning" in values:
        return _by_rules(values, changes, rule, where)
    if rule is not None:
        raise NetworkError(
            "this network is trained by gradients", where="--rule",
            hint="Leave it out, or write a table [learning] in place of [training]",
        )  # fmt: skip
    from bioae.trainers.training.config import load_config

    return load_config(values, init=changes, where=where)


def _by_rules(
    values: dict[str, Any], init: Mapping[str, str], rule: str | None, where: str | None
) -> LearningConfig:
    from bioae.runs.rules.config import LearningConfig

    for name in ("training", "regularisers"):
        if name in values:
            raise NetworkError(
                f"a network learns by rules or by gradients: found both [learning] and [{name}]",
                where=where,
                hint="Remove one of them",
            )
    if init:
        raise NetworkError(
            "a network that learns by rules starts from its description",
            where=", ".join(f"--{'init' if key == 'model' else key}" for key in init),
            hint="Leave it out",
        )
    if rule is not None:
        values = _changed(values, {"learning": {"rule": rule}})
    return LearningConfig.from_mapping(values, where=where)


def _changed(values: Mapping[str, Any], settings: Change) -> dict[str, Any]:
    """Return tables with other values of some keys, one level deep."""
    changed = dict(values)
    for name, table in settings.items():
        before = changed.get(name)
        merge = isinstance(before, Mapping) and isinstance(table, Mapping)
        changed[name] = {**(before or {}), **table} if merge else table
    return changed
