"""A training configuration: data, network, training and regularisers, as one TOML file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import BaseModel, Field, ValidationError, model_validator

from bioae.errors import InputError, NetworkError, describe, key_path
from bioae.fields import Table
from bioae.inputs import check_input, read_toml
from bioae.networks.config import NetworkConfig
from bioae.networks.tasks import LossName
from bioae.runs.tables import DataConfig
from bioae.trainers.training.sections import (
    DescentConfig,
    OptimisationConfig,
    check_warm_up,
)
from bioae.trainers.training.terms import RegularisersConfig, TermConfig

__all__ = ["RunConfig", "TrainingConfig", "load_config"]


class RunConfig(Table):
    """The configuration of a run of gradient descent.

    Raises
    ------
    NetworkError
        From `from_mapping`, if a key is unknown or a value does not fit.
    """

    data: DataConfig = DataConfig()
    network: NetworkConfig = Field(
        default_factory=lambda: NetworkConfig.preset("strided"),
        description="a network; `preset` names a shipped one to start from",
    )
    training: DescentConfig = DescentConfig()
    regularisers: RegularisersConfig = RegularisersConfig()

    @model_validator(mode="after")
    def _layers_exist(self) -> Self:
        if not self.network_is_known:
            return self
        names = [layer.name for layer in self.network.layers]
        for table, terms, _ in self._tables_of_terms():
            for symbol, term in terms.terms(self.network.latent).items():
                what = f"{table}: the regulariser {symbol} acts on"
                _check_layers(what, term.layers or (), names)
        variability = self.training.variability
        if variability is not None:
            _check_layers("training.variability names", variability.layers or (), names)
        return self

    @model_validator(mode="after")
    def _terms_warm_up(self) -> Self:
        for table, terms, length in self._tables_of_terms():
            for symbol in type(terms).model_fields:
                term: TermConfig | None = getattr(terms, symbol)
                if term is not None:
                    what = "the run" if terms is self.regularisers else "the stage"
                    check_warm_up(f"{table}.{symbol}", term.warm_up, length, what)
        return self

    def _tables_of_terms(self) -> Iterator[tuple[str, RegularisersConfig, int]]:
        """Yield each table of regularisers: its key, itself, and the epochs that it may act in."""
        yield "regularisers", self.regularisers, self.training.total_epochs
        stages = zip(self.training.stages, self.training.lengths, strict=False)
        for place, (stage, length) in enumerate(stages):
            if stage.regularisers is not None:
                key = key_path("training", "stages", place, "regularisers")
                yield key, stage.regularisers, length

    @model_validator(mode="after")
    def _loss_fits(self) -> Self:
        if not self.network_is_known:
            return self
        task = self.network.task
        if not task.losses:
            raise ValueError(
                f"the task {task.kind!r} has no loss that a gradient could lower: its networks "
                "learn by rules, see the table [learning]"
            )
        if self.loss not in task.losses:
            raise ValueError(
                f"the loss {self.loss!r} is not one of the task {task.kind!r}; expected one of "
                f"{', '.join(task.losses)}"
            )
        # A default that depends on another table; the configuration is frozen from here on.
        training = self.training.model_copy(update={"loss": self.loss})
        object.__setattr__(self, "training", training)
        return self

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str | None = None) -> Self:
        """Validate plain data, as read from TOML.

        Parameters
        ----------
        values
            The tables, by name; each may be missing.
        where
            The source that errors name, such as a file.
        """
        values = dict(values)
        network = values.get("network")
        if isinstance(network, Mapping):
            place = f"{where}, network" if where else "network"
            values["network"] = NetworkConfig.from_mapping(network, where=place)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            complaint = describe(error, cls)
            keys = _siblings(error, cls)
            if keys:
                complaint["expected"] = f"one of {', '.join(keys)}"
            raise NetworkError(**complaint, where=where) from None

    @property
    def network_is_known(self) -> bool:
        """True if `network` is that of the run, rather than read from a file later."""
        return True

    @property
    def loss(self) -> LossName:
        """The name of the loss: the task's default, unless another is set."""
        return self.training.loss or self.network.task.losses[0]

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data, defaults included, that describes the same run.

        Keys whose value is none are left out, and ``epochs`` where every stage has its own.
        """
        mapping = self.model_dump(mode="json", exclude_none=True)
        if not self.training.epochs_apply:
            del mapping["training"]["epochs"]
        for key in {"gradient_clip", "grid_bits"} & type(self.training).model_fields.keys():
            mapping["training"].setdefault(key, 0)
        mapping["regularisers"] = self.regularisers.to_mapping()
        for plain, stage in zip(mapping["training"]["stages"], self.training.stages, strict=True):
            if stage.regularisers is not None:
                plain["regularisers"] = stage.regularisers.to_mapping()
        return mapping

    def to_toml(self) -> str:
        """Return the file's text."""
        return tomli_w.dumps(self.to_mapping())


class TrainingConfig(RunConfig):
    """The configuration of a training run.

    Raises
    ------
    NetworkError
        From `from_mapping`, if a key is unknown or a value does not fit.
    """

    training: OptimisationConfig = OptimisationConfig()

    @model_validator(mode="after")
    def _layers_with_settings_exist(self) -> Self:
        if self.network_is_known:
            names = [layer.name for layer in self.network.layers]
            _check_layers("training.layers names", self.training.layers, names)
        return self

    @property
    def gives_network(self) -> bool:
        """Return whether it describes the network, rather than using the default."""
        return "network" in self.model_fields_set

    @property
    def network_is_known(self) -> bool:
        """True if the network is described, or not that of a trained one."""
        return self.training.init is None or self.gives_network

    def with_network(self, network: NetworkConfig) -> TrainingConfig:
        """Return the configuration with another network.

        Raises
        ------
        NetworkError
            If a regulariser acts on a layer that it does not have.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return self.from_mapping({**fields, "network": network})


def load_config(
    source: Mapping[str, Any] | Path | str,
    *,
    init: Mapping[str, str | None] | None = None,
    where: str | None = None,
) -> TrainingConfig:
    """Read a training configuration.

    Parameters
    ----------
    source
        The file, or the tables that it would hold.
    init
        Keys of the table ``[training.init]`` that replace those of the file; None is ignored.
    where
        The file of tables, named in errors.

    Raises
    ------
    NetworkError
        If there is no such file, or it is not TOML, or a key or value does not fit.
    """
    if isinstance(source, Mapping):
        values = source
    else:
        path = check_input(source, NetworkError, "training configuration")
        values, where = read_toml(path, "training configuration", error=NetworkError), str(path)
    changes = {key: value for key, value in (init or {}).items() if value is not None}
    if changes:
        values = _with_init(values, changes, where)
    config = TrainingConfig.from_mapping(values, where=where)
    try:
        _ = config.network.placed, config.network.dt_seconds
    except InputError as error:  # in a neuron model or a time, which is evaluated lazily
        raise NetworkError(str(error), where=where) from error
    return config


def _with_init(
    values: Mapping[str, Any], changes: Mapping[str, str], where: str | None
) -> dict[str, Any]:
    training = values.get("training", {})
    if not isinstance(training, Mapping):
        return dict(values)  # refused by the validation
    present = training.get("init", {})
    init = {**({"model": present} if isinstance(present, str) else dict(present)), **changes}
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
            where="--calibrate",
            hint="Name one with --neuron, or leave out --calibrate",
        )
    return {**values, "training": {**training, "init": init}}


def _check_layers(what: str, layers: Iterable[str], known: Sequence[str]) -> None:
    for name in layers:
        if name not in known:
            raise ValueError(
                f"{what} an unknown layer {name!r}; expected one of {', '.join(known)}"
            )


def _siblings(error: ValidationError, config: type[BaseModel]) -> list[str]:
    """Return the keys that are allowed where an unknown one was used inside a table."""
    first = error.errors(include_url=False)[0]
    if first["type"] != "extra_forbidden" or len(first["loc"]) < 2:
        return []
    table: type[BaseModel] | None = config
    for part in first["loc"][:-1]:
        if isinstance(part, str):  # a number is the place of a table in a list of such tables
            fields = table.model_fields if table else {}
            table = _model_of(fields[part].annotation) if part in fields else None
    return list(table.model_fields) if table else []


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = map(_model_of, getattr(annotation, "__args__", ()))
    return next((model for model in inner if model), None)
