"""A learning configuration: data, network and learning, as one TOML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bioae.errors import InputError, NetworkError, describe
from bioae.fields import Count, Table
from bioae.networks.config import NetworkConfig
from bioae.networks.layer_base import LayerBase
from bioae.networks.plasticity import check_averaged, check_held, check_rules
from bioae.runs.tables import DataConfig, NumberOfEpochs, Optimiser, Rate

__all__ = ["LearningConfig", "LearningTable"]


def _target(value: object) -> object:
    return "torch" if value == "mirror" else value  # its name in older files


class LearningTable(Table):
    """Settings of learning by rules."""

    rule: str | None = Field(
        None, min_length=1, description="the synapse model of layers that name none: a name, or "
        "the path of a TOML file",
    )  # fmt: skip
    epochs: NumberOfEpochs = Field(1, description="passes over the training examples")
    target: Annotated[
        Literal["cpp_standalone", "cython", "numpy", "torch"], BeforeValidator(_target)
    ] = Field("cpp_standalone", description="the target: of Brian2, or `torch`")
    batch_size: Count = Field(
        1,
        description="presentations that learn at once, with `torch` only: changes are averaged",
    )
    optimiser: Optimiser | None = Field(
        None,
        description="with `torch` only: `adam`, `adamw`, `sgd`, or a table, which takes the "
        "changes of each step as its negative gradient; by default they are added",
    )
    learning_rate: Rate | None = Field(
        None, description="the optimiser's step size; default: 0.001"
    )
    held: dict[str, float] = Field(
        default_factory=dict, description="modulators of the rules, the same in all presentations"
    )
    checkpoint: Count = Field(
        1000, description="presentations from one checkpoint and line of metrics to the next"
    )
    labelled: Count = Field(
        10_000,
        description="the most training examples by whose responses neurons get their classes",
    )
    seed: int = Field(
        0, ge=0, lt=2**63, description="seed of weights, order of examples and random input"
    )

    @model_validator(mode="after")
    def _one_at_once(self) -> LearningTable:
        if self.batch_size > 1 and self.target != "torch":
            raise ValueError(
                f'batch_size = {self.batch_size} needs target = "torch": in Brian2 presentations '
                "learn one after another"
            )
        if self.optimiser is not None and self.target != "torch":
            raise ValueError(
                f'optimiser = "{self.optimiser.name}" needs target = "torch": in Brian2 the '
                "statements of the rule change the weights"
            )
        if self.learning_rate is not None and self.optimiser is None:
            raise ValueError(
                f"learning_rate = {self.learning_rate:g} is the step size of an `optimiser`, which "
                "is missing: set the amplitude of the rule, such as eta, in its [parameters]"
            )
        return self


class LearningConfig(Table):
    """The configuration of a run of learning by rules.

    Raises
    ------
    NetworkError
        From `from_mapping`, if a key is unknown or a value does not fit.
    """

    data: DataConfig = DataConfig()
    network: NetworkConfig = Field(description="the network")
    learning: LearningTable = LearningTable()

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
            return config._with_rule()
        except InputError as error:  # in a model or a time, which is evaluated lazily
            raise NetworkError(str(error), where=where) from error

    def _with_rule(self) -> Self:
        """Return the configuration with `rule`, by its name, in the layers that name none."""
        network, learning = self.network, self.learning
        if learning.rule is not None:
            rule = learning.rule
            layers = tuple(
                layer.model_copy(update={"synapse": rule})
                if layer.synapse is None and not layer.shares_weights
                else layer
                for layer in network.layers
            )
            name = network.synapse(rule).name
            learning = learning.model_copy(update={"rule": name})
            network = network.varied(layers=layers)
        network = network.self_contained()
        if learning.rule is not None:
            _check_taken(learning.rule, network.layers)
        _ = network.placed, network.dt_seconds
        check_rules(network.placed, network.dt_seconds)
        optimises = learning.optimiser is not None
        check_averaged(network.placed, learning.batch_size, optimiser=optimises)
        check_held(network.placed, learning.held, 1, where="learning.held")
        return self.model_copy(update={"network": network, "learning": learning})

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data, defaults included, that describes the same run."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def record(self) -> dict[str, Any]:
        """The tables but for that of the network, which an artefact records of the run."""
        return {name: table for name, table in self.to_mapping().items() if name != "network"}

    def to_toml(self) -> str:
        """Return the file's text."""
        return tomli_w.dumps(self.to_mapping())


def _check_taken(rule: str, layers: Iterable[LayerBase]) -> None:
    """Reject a rule by which no layer learns, such as if all name another one."""
    others = {layer.name: layer.synapse for layer in layers}
    if rule in others.values():
        return
    found = [
        f"layer {name!r} that shares weights" if each is None else f"layer {name!r} with {each!r}"
        for name, each in others.items()
    ]
    raise NetworkError(
        f"no layer takes the rule {rule!r}", where="rule",
        expected="a dense layer that names no `synapse`", found=", ".join(found),
        hint="Leave the rule out, or remove `synapse` from a layer",
    )  # fmt: skip
