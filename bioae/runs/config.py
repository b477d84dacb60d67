"""The base of configurations of runs: tables of data and network, read and written as TOML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import ValidationError

from bioae.checks import instance
from bioae.errors import InputError, NetworkError, describe
from bioae.fields import Table
from bioae.inputs import as_path, read_toml
from bioae.networks.config import NetworkConfig
from bioae.runs.tables import DataConfig

#: The kind of file, named in errors.
_FILE = "training configuration"


def tables_of(source: Mapping[str, Any] | Path | str) -> tuple[Mapping[str, Any], str | None]:
    """Return the tables of a configuration, and their file, if they are read from one.

    Raises `NetworkError` if there is no such file, or it is not TOML.
    """
    if isinstance(source, Mapping):
        return source, None
    path = as_path(source, NetworkError, _FILE)
    return read_toml(path, _FILE, error=NetworkError), str(path)


class RunConfig(Table):
    """The configuration of a run: its data, its network and its training.

    Raises
    ------
    NetworkError
        From `read` and `from_mapping`, if a key is unknown or a value does not fit.
    """

    data: DataConfig = DataConfig()
    network: NetworkConfig

    @classmethod
    def read(cls, source: Mapping[str, Any] | Path | str) -> Self:
        """Read a configuration from a file, or from its tables."""
        return cls.from_mapping(*tables_of(source))

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str | None = None) -> Self:
        """Validate plain data, as read from TOML.

        Parameters
        ----------
        values
            The tables, by name.
        where
            The source that errors name, such as a file.
        """
        instance(values, "the configuration", Mapping, error=NetworkError)
        values = dict(values)
        network = values.get("network")
        if isinstance(network, Mapping):
            place = f"{where}, network" if where else "network"
            values["network"] = NetworkConfig.from_mapping(network, where=place)
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise NetworkError(**describe(error, cls), where=where) from None
        try:
            return config.completed()
        except InputError as error:  # in a model or a time, which is evaluated lazily
            raise NetworkError(str(error), where=where) from error

    def completed(self) -> Self:
        """Evaluate the network's models, so that errors in them raise; return the configuration."""
        _ = self.network.placed, self.network.dt_seconds
        return self

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data, defaults included, that describes the same run."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def record(self) -> dict[str, Any]:
        """The tables other than the network's, which an artefact stores."""
        return {name: table for name, table in self.to_mapping().items() if name != "network"}

    def self_contained(self) -> Self:
        """Return the same run with the text of its models, as by `NetworkConfig.self_contained`."""
        return self.model_copy(update={"network": self.network.self_contained()})

    def to_toml(self) -> str:
        """Return the configuration as TOML, with the full text of its models."""
        return tomli_w.dumps(self.self_contained().to_mapping())
