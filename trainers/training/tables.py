"""The tables inside ``[training]``: derivative, start, layers and stages.

This file imports no PyTorch.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, Strict

from bioae.fields import Count, Table
from bioae.runs.tables import NumberOfEpochs, Rate, short
from bioae.trainers.training.schedules import Schedule
from bioae.trainers.training.terms import RegularisersConfig

DerivativeName: TypeAlias = Literal[
    "membrane",
    "fast_sigmoid",
    "arctan",
    "triangular",
    "boxcar",
    "gaussian",
    "multi_gaussian",
    "exact",
]

Names: TypeAlias = Annotated[tuple[str, ...], Strict(False)]


def _flat(value: object) -> object:
    """Flatten a table of tables: TOML reads ``first.tau = 1e-2`` as a table `first`."""
    if not isinstance(value, dict):
        return value
    flat: dict[object, object] = {}
    for key, inner in value.items():
        flat |= (
            {f"{key}.{k}": v for k, v in inner.items()} if isinstance(inner, dict) else {key: inner}
        )
    return flat


class DerivativeConfig(Table):
    """A spike derivative: its name, its parameters, and the gradients that are detached."""

    model_config = ConfigDict(extra="allow")

    name: DerivativeName
    detach_reset: bool | None = Field(
        None,
        description="whether no gradient reaches a spike through its reset; none: the rule decides",
    )
    straight_through: float | None = Field(
        None,
        gt=0,
        le=1,
        description="the derivative of an input variable's update with respect to it, in place "
        "of all derivatives of that update; none: the rule decides",
    )
    detach_refractory: bool = Field(
        True, description="whether no gradient reaches a spike through the refractoriness after it"
    )

    @property
    def parameters(self) -> dict[str, Any]:
        """The rule's parameters in the configuration."""
        return dict(self.model_extra or {})


class InitConfig(Table):
    """A trained network to start from: its path, and the changes to its neurons."""

    model: str = Field(
        min_length=1, description="a trained network: a folder, a .zip file, or a shipped name"
    )
    neuron: str | None = Field(
        None, min_length=1, description="another neuron model in every layer that fires"
    )
    calibrate: Literal["rate", "psp", "none"] = Field(
        "rate", description="how the weights are scaled for it, as `bioae simulate` does"
    )
    copy_parameters: bool = Field(
        True, description="whether values of parameters that the model has too are kept"
    )


#: A spike derivative by its name, or a table.
Derivative = Annotated[DerivativeConfig, short("name", str)]
#: Step sizes by the names of weights and parameters.
Rates = Annotated[dict[str, Rate], BeforeValidator(_flat)]
#: Bounds as text, by name.
Bounds = dict[str, Annotated[tuple[str, str], Strict(False)]]
#: Bounds of trained delays by the names of weights.
Delays = Annotated[Bounds, BeforeValidator(_flat)]
#: A trained network by its path, or a table.
Init = Annotated[InitConfig, short("model", str)]


class VariabilityConfig(Table):
    """Artificial neural variability (Xie et al. 2020, arXiv:2011.06220): noise on weights."""

    scale: float = Field(
        gt=0, le=1e6, description="the scale b of the noise, in the unit of weights"
    )
    distribution: Literal["normal", "laplace", "uniform"] = Field(
        "normal",
        description="the normal distribution of standard deviation b, the Laplace distribution of "
        "scale b, or the uniform one from -b to b",
    )
    accumulate: bool = Field(
        False,
        description="whether the noise of each update stays in the weights: a random walk, as a "
        "control",
    )
    layers: Names | None = Field(
        None, min_length=1, description="the layers whose weights vary; none: all"
    )


#: Noise on weights by its scale, or a table.
Variability = Annotated[VariabilityConfig, short("scale", int, float)]


class LayerConfig(Table):
    """Settings of one layer, which replace those of all layers."""

    trainable: Names | None = Field(None, description="the layer's neuron parameters to train")
    bounds: Bounds = Field(
        default_factory=dict, description="bounds of trained parameters; default: the model's"
    )
    derivative: Derivative | None = Field(None, description="the layer's spike derivative")


class StageConfig(Table):
    """A stage of a run: the keys that differ from those of the run."""

    epochs: NumberOfEpochs | None = Field(None, description="passes over the training examples")
    batch_size: Count | None = Field(None, description="examples of one update")
    learning_rate: Rate | None = Field(None, description="the step size")
    learning_rates: Rates | None = Field(None, description="the step sizes of some weights")
    schedule: Schedule | None = Field(
        None, description="the learning-rate schedule, which begins with the stage"
    )
    trainable: Names | None = Field(None, description="neuron parameters to train too")
    frozen: Names | None = Field(None, description="weights and parameters not to train")
    regularisers: RegularisersConfig | None = Field(
        None, description="the terms, whose warm-ups begin with the stage"
    )

    def settings(self) -> dict[str, Any]:
        """Return the keys of the run that the stage replaces, with their values."""
        keys = self.model_fields_set - {"regularisers"}
        return {key: value for key in sorted(keys) if (value := getattr(self, key)) is not None}
