"""Tables that every kind of training shares: the data of a run, and optimisers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bioae.errors import NetworkError, describe
from bioae.fields import Count, Table

#: A step size.
Rate: TypeAlias = Annotated[float, Field(gt=0, le=1e3)]

#: The metrics of all epochs fit into the header of a checkpoint.
NumberOfEpochs: TypeAlias = Annotated[int, Field(ge=1, le=10**5)]


def short(key: str, *types: type) -> BeforeValidator:
    """Accept a value of these types as shorthand for the table with this key."""

    def table(value: object) -> object:
        return {key: value} if type(value) in types else value

    return BeforeValidator(table)


def _part(value: object) -> object:
    number = type(value) is int and 1 <= value <= 10**9
    if number or (isinstance(value, float) and 0 < value < 1):
        return value
    raise ValueError(
        "expected a number of examples, 1 or more, or a fraction between 0 and 1: every epoch ends "
        f"with a validation; found {value!r}"
    )


class DataConfig(Table):
    """The examples to train on, to validate on, and to test on."""

    name: str = Field("sample", min_length=1, description="the name or path of a data set")
    train: Count | None = Field(
        None, description="examples of the training split, those for validation included; none: all"
    )
    validation: Annotated[int | float, BeforeValidator(_part)] = Field(
        0.1, description="examples of these that are held out to validate: a number, or a fraction"
    )
    test: Count | None = Field(
        None, description="examples of the test split, evaluated once at the end; none: all"
    )

    @model_validator(mode="after")
    def _leaves_examples(self) -> Self:
        if self.train is not None and self.validation >= self.train:
            raise ValueError(
                f"validation = {self.validation} of {self.train} training examples: none would "
                "remain to train on"
            )
        return self

    def of(self, name: str) -> DataConfig:
        """Return the description of all examples of data with this name."""
        return self.model_copy(update={"name": name, "train": None, "test": None})


class AdamConfig(Table):
    """Adam (Kingma, Ba 2015, arXiv:1412.6980)."""

    name: Literal["adam"] = "adam"
    weight_decay: ClassVar[float] = 0.0


class AdamWConfig(Table):
    """Adam with decoupled weight decay (Loshchilov, Hutter 2019, arXiv:1711.05101)."""

    name: Literal["adamw"] = "adamw"
    weight_decay: float = Field(
        0.01, ge=0, le=1e3, description="the decay of weights per update, times the learning rate"
    )


class SgdConfig(Table):
    """Stochastic gradient descent, optionally with heavy-ball momentum (Polyak 1964)."""

    name: Literal["sgd"] = "sgd"
    momentum: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="the part of the last update's direction that is added to the gradient",
    )
    weight_decay: ClassVar[float] = 0.0


#: An optimiser by its name, or a table.
Optimiser = Annotated[
    Annotated[AdamConfig | AdamWConfig | SgdConfig, Field(discriminator="name")],
    short("name", str),
]


class OptimiserSettings(Table):
    """An optimiser of weights that learn by rules, and its step size."""

    optimiser: Optimiser
    learning_rate: Rate = 1e-3

    @classmethod
    def of(
        cls, optimiser: Optimiser | str | Mapping[str, Any] | None, learning_rate: float | None
    ) -> Self | None:
        """Return the settings of an optimiser; None if there is none.

        Raises `NetworkError` if they do not fit.
        """
        rate = {} if learning_rate is None else {"learning_rate": learning_rate}
        if optimiser is None:
            if rate:
                raise NetworkError(
                    "a learning rate is the step size of an optimiser, which is missing",
                    where="learning_rate", expected="None", found=f"{learning_rate!r}",
                    hint="Set the amplitude of the rule, such as eta, in its [parameters]",
                )  # fmt: skip
            return None
        try:
            return cls.model_validate({"optimiser": optimiser, **rate})
        except ValidationError as error:
            raise NetworkError(**describe(error, cls)) from None
