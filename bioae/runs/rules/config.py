"""A learning configuration: data, network and learning, as one TOML file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from bioae.errors import NetworkError
from bioae.fields import Count, Table
from bioae.networks.layer_base import LayerBase
from bioae.networks.plasticity import check_averaged, check_chain, check_held, check_rules
from bioae.networks.teaching import Repeat, Teaching
from bioae.runs.config import RunConfig
from bioae.runs.tables import NumberOfEpochs, Optimiser, Rate


def _target(value: object) -> object:
    return "torch" if value == "mirror" else value  # its name in older files


class LearningTable(Table):
    """Settings of learning by rules."""

    rule: str | None = Field(
        None, min_length=1, description="the synapse model of layers that name none: a name, or "
        "the path of a TOML file"
    )  # fmt: skip
    epochs: NumberOfEpochs = Field(1, description="passes over the training examples")
    target: Annotated[
        Literal["cpp_standalone", "cython", "numpy", "torch"], BeforeValidator(_target)
    ] = Field("cpp_standalone", description="the target: of Brian2, or `torch`")
    batch_size: Count = Field(
        1, description="presentations that learn at once, with `torch` only: changes are averaged"
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
    normalise: dict[str, float] = Field(
        default_factory=dict, description="the sum to which the weights into each neuron are "
        "scaled before each example, by the name of the weights"
    )  # fmt: skip
    repeat: Repeat | None = Field(
        None, description="a table: when an example is presented again, with more input"
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
        if self.target != "torch" and (self.batch_size > 1 or self.optimiser is not None):
            key = "batch_size" if self.batch_size > 1 else "optimiser"
            raise ValueError(
                f'{key} needs target = "torch": in Brian2 presentations learn one after another, '
                "by the statements of the rule"
            )
        if self.learning_rate is not None and self.optimiser is None:
            raise ValueError(
                f"learning_rate = {self.learning_rate:g} is the step size of an `optimiser`, which "
                "is missing: set the amplitude of the rule, such as eta, in its [parameters]"
            )
        return self


class LearningConfig(RunConfig):
    """The configuration of a run of learning by rules."""

    learning: LearningTable = LearningTable()

    def completed(self) -> Self:
        """Return the configuration with `rule`, by its name, in the layers that name none."""
        network, learning = self.network, self.learning
        if learning.rule is not None and network.populations:
            raise NetworkError(
                "the projections of a graph name their own rules", where="learning.rule",
                hint=f"Set synapse = {learning.rule!r} in the projections that learn",
            )  # fmt: skip
        if learning.rule is not None:
            rule = learning.rule
            layers = tuple(
                layer.model_copy(update={"synapse": rule})
                if layer.synapse is None and not (layer.shares_weights or layer.listed)
                else layer
                for layer in network.layers
            )
            name = network.synapse(rule).name
            learning = learning.model_copy(update={"rule": name})
            network = network.varied(layers=layers)
        network = network.self_contained()
        if learning.rule is not None:
            _check_taken(learning.rule, network.layers)
        if learning.target == "torch":
            check_chain(network.populations, network.clock, carry_over=network.carry_over)
        check_rules(network.placed, network.dt_seconds)
        for placed in network.placed:
            _ = placed.program  # refuses a model that does not fit, before there are files
        optimises = learning.optimiser is not None
        check_averaged(network.placed, learning.batch_size, optimiser=optimises)
        check_held(network.placed, learning.held, 1, where="learning.held")
        Teaching.of(network, learning.normalise, learning.repeat)
        return self.model_copy(update={"network": network, "learning": learning})


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
