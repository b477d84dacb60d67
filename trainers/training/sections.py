"""The sections of a training configuration: data, training and regularisers.

This file imports no PyTorch: names are checked here, and the objects that they name are built by
`bioae.trainers.training.training`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, Strict, model_validator

from bioae.fields import Count, Positive, Steps, Table, Threads
from bioae.networks.tasks import LossName

__all__ = [
    "DataConfig",
    "DerivativeConfig",
    "DerivativeName",
    "InitConfig",
    "LossName",
    "OptimisationConfig",
    "RegularisersConfig",
    "TargetTermConfig",
    "TermConfig",
]

DerivativeName: TypeAlias = Literal[
    "membrane", "fast_sigmoid", "arctan", "triangular", "boxcar", "gaussian", "multi_gaussian"
]

#: A step size, and a factor of a term of the loss.
_Rate: TypeAlias = Annotated[float, Field(gt=0, le=1e3)]
_Factor: TypeAlias = Annotated[float, Field(ge=-1e12, le=1e12)]

_Names: TypeAlias = Annotated[tuple[str, ...], Strict(False)]

#: The terms that act on the latent layer by default.
_LATENT = ("neuron1", "example2", "neuron2")


class DataConfig(Table):
    """The images to train on, and the held-out images."""

    name: str = Field(default="sample", min_length=1, description="the name or path of a data set")
    train: Count | None = Field(default=None, description="images of the training split; none: all")
    validation: Count | None = Field(
        default=None, description="images of the test split that are evaluated; none: all"
    )


class DerivativeConfig(Table):
    """A spike derivative: its name, its parameters, and the gradients that are detached."""

    model_config = ConfigDict(extra="allow")

    name: DerivativeName
    detach_reset: bool | None = Field(
        default=None,
        description="whether no gradient reaches a spike through its reset; none: the rule decides",
    )
    detach_refractory: bool = Field(
        default=True,
        description="whether no gradient reaches a spike through the refractoriness after it",
    )

    @property
    def parameters(self) -> dict[str, Any]:
        """The rule's parameters in the configuration."""
        return dict(self.model_extra or {})


#: Keys of which 0 means no limit, and the types of that 0.
_NO_LIMIT: dict[object, tuple[type, ...]] = {"gradient_clip": (int, float), "grid_bits": (int,)}


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


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


def _chosen(value: object) -> object:
    """Return names; true means all and false means none."""
    if isinstance(value, bool):
        return "all" if value else ()
    if value == "all" or isinstance(value, list | tuple):
        return value
    raise ValueError(f"expected true, false or a list of parameters, found {value!r}")


class InitConfig(Table):
    """A trained network to start from: its path, and the changes to its neurons."""

    model: str = Field(min_length=1, description="a trained network: a folder or a .zip file")
    neuron: str | None = Field(
        default=None, min_length=1, description="another neuron model in every layer"
    )
    calibrate: Literal["rate", "psp", "none"] = Field(
        default="rate", description="how the weights are scaled for it, as `bioae simulate` does"
    )


def _path(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class OptimisationConfig(Table):
    """Optimisation: steps, gradients, computation and checkpoints."""

    # The metrics of all epochs fit into the header of a checkpoint.
    epochs: int = Field(default=10, ge=1, le=10**5, description="passes over the training images")
    batch_size: Count = Field(default=32, description="images of one update")
    learning_rate: _Rate = Field(default=5e-4, description="Adam's step size")
    gradient_clip: Positive | None = Field(
        default=1.0, description="largest norm of the gradient, all weights"
    )
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="seed of weights, order of images and input spikes"
    )
    init: Annotated[InitConfig | None, BeforeValidator(_path)] = Field(
        default=None,
        description="a trained network to start from: its path, or a table of `model`, `neuron` "
        "and `calibrate`; none: weights are drawn",
    )

    derivative: Annotated[DerivativeConfig, BeforeValidator(_named)] = Field(
        default=DerivativeConfig(name="membrane"), description="the spike derivative"
    )
    learning_rates: Annotated[dict[str, _Rate], BeforeValidator(_flat)] = Field(
        default_factory=dict,
        description="Adam's step size of some weights: by `weight`, `recurrent` or a neuron "
        "parameter's name, or by `LAYER.weight` for one layer, which takes precedence",
    )
    trainable: _Names = Field(
        default=(), description="neuron parameters to train too, in the layers that allow it"
    )
    per_neuron: Annotated[_Names | Literal["all"], BeforeValidator(_chosen)] = Field(
        default=(),
        description="true or names: the trainable parameters of which each neuron trains its own",
    )
    truncate: Steps | None = Field(
        default=None,
        description="truncated back-propagation through time: steps that a gradient goes back",
    )
    recompute: Steps | None = Field(
        default=None,
        description="gradient checkpointing: steps of a segment that the backward pass recomputes",
    )
    compile: bool | Literal["auto"] = Field(
        default="auto",
        description='whether the steps of a layer are compiled; "auto": where possible',
    )
    loss: LossName | None = Field(
        default=None, description="the loss of the outputs; none: the task's default"
    )
    dtype: Literal["float32", "float64"] = Field(
        default="float32", description="type of all numbers"
    )
    device: str = Field(
        default="cpu", min_length=1, description="a PyTorch device; `cuda` is a GPU"
    )
    threads: Threads | None = Field(
        default=None,
        description="of PyTorch; none: its choice, kept when a run is resumed",
    )
    grid_bits: int | None = Field(
        default=12,
        ge=1,
        le=20,
        description="trained weights are rounded to multiples of 2^-bits",
    )
    checkpoint_seconds: float = Field(
        default=20.0,
        ge=0,
        le=1e9,
        description="time between checkpoints; 0: every batch",
    )

    @model_validator(mode="after")
    def _per_neuron_is_trained(self) -> OptimisationConfig:
        unknown = sorted(set(self.own) - set(self.trainable))
        if unknown:
            raise ValueError(f"per_neuron names {unknown[0]!r}, which `trainable` does not")
        return self

    @property
    def own(self) -> tuple[str, ...]:
        """The parameters that each neuron trains separately."""
        return self.trainable if self.per_neuron == "all" else self.per_neuron

    def rate(self, name: str) -> float:
        """Return the learning rate of a weight or parameter, by a name such as ``LAYER.weight``."""
        kind = name.rpartition(".")[2]
        return self.learning_rates.get(name, self.learning_rates.get(kind, self.learning_rate))

    @model_validator(mode="before")
    @classmethod
    def _without_limits(cls, values: object) -> object:
        # TOML has no null: 0 means none where 0 itself makes no sense.
        if isinstance(values, dict):
            return {
                key: None if type(value) in _NO_LIMIT.get(key, ()) and value == 0 else value
                for key, value in values.items()
            }
        return values


def _layers(value: object) -> object:
    if value == "all":
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f'expected "all" or a list of layer names, found {value!r}')
    return value


class TermConfig(Table):
    """A regulariser: its coefficient and the layers that it acts on."""

    coefficient: _Factor = Field(description="factor of the term")
    layers: Annotated[Annotated[_Names, Field(min_length=1)] | None, BeforeValidator(_layers)] = (
        Field(default=None, description='names of layers, or "all"')
    )


class TargetTermConfig(TermConfig):
    """A regulariser that pulls a quantity towards a target."""

    target: _Factor = Field(default=0.0, description="value where the term is 0; 0 in the paper")


def _term(value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"coefficient": value} if number else value


_Term: TypeAlias = Annotated[TermConfig | None, BeforeValidator(_term)]
_TargetTerm: TypeAlias = Annotated[TargetTermConfig | None, BeforeValidator(_term)]


class RegularisersConfig(Table):
    """The terms added to the reconstruction loss, by symbol: a coefficient, or a table."""

    beta1: _TargetTerm = Field(default=None, description="cumulative potential, |U_T / T|")
    beta2: _TargetTerm = Field(default=None, description="cumulative potential, (U_T / T)^2")
    lambda1: _TargetTerm = Field(default=None, description="rate, |s / T|")
    lambda2: _TargetTerm = Field(default=None, description="rate, (s / T)^2")
    l1: _Term = Field(default=None, description="weights, |w|")
    l2: _Term = Field(default=None, description="weights, w^2")
    neuron1: _Term = Field(default=None, description="latent activity")
    example2: _Term = Field(default=None, description="latent activity of an example, squared")
    neuron2: _Term = Field(
        default=None, description="latent activity of a neuron over a batch, squared"
    )

    def terms(self, latent: str | None) -> dict[str, TermConfig]:
        """Return the terms that are set, by symbol, with their default layers filled in.

        Parameters
        ----------
        latent
            The name of the latent layer, on which neuron1, example2 and neuron2 act by default.

        Raises
        ------
        ValueError
            If such a term has no layers, and there is no latent layer.
        """
        terms = {}
        for symbol in type(self).model_fields:
            term: TermConfig | None = getattr(self, symbol)
            if term is None:
                continue
            if symbol in _LATENT and "layers" not in term.model_fields_set:
                if latent is None:
                    raise ValueError(
                        f"{symbol} acts on the latent layer, and the network names none; "
                        f'set latent = "LAYER" in [network], or give {symbol} its layers'
                    )
                term = term.model_copy(update={"layers": (latent,)})
            terms[symbol] = term
        return terms
