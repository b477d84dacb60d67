"""The tables of regularisers in a training configuration. This file imports no PyTorch."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, Strict, model_validator

from bioae.fields import Table
from bioae.runs.tables import short
from bioae.trainers.training.schedules import Epochs

#: A factor of a term of the loss.
_Factor: TypeAlias = Annotated[float, Field(ge=-1e12, le=1e12)]
_Names: TypeAlias = Annotated[tuple[str, ...], Strict(False), Field(min_length=1)]

#: The symbols of terms that act on weights, not on the activity of neurons.
WEIGHT_SYMBOLS = frozenset({"l1", "l2"})

#: The terms that act on the latent layer by default.
_LATENT = ("neuron1", "example2", "neuron2")


def _layers(value: object) -> object:
    if value == "all":
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ValueError(f'expected "all" or a list of layer names, found {value!r}')
    return value


class TermConfig(Table):
    """A regulariser: its coefficient and the layers that it acts on."""

    coefficient: _Factor = Field(description="factor of the term")
    layers: Annotated[_Names | None, BeforeValidator(_layers)] = Field(
        None, description='names of layers, or "all"'
    )
    warm_up: Epochs = Field(
        0.0, description="epochs over which the coefficient grows linearly from 0"
    )

    def acts_on(self, layer: str) -> bool:
        """Return whether the term acts on the layer of that name."""
        return self.layers is None or layer in self.layers


class TargetTermConfig(TermConfig):
    """A regulariser that pulls a quantity of each neuron towards a target, or into a window."""

    target: _Factor = Field(0.0, description="value where the term is 0; 0 in the paper")
    window: Annotated[tuple[_Factor, _Factor], Strict(False)] | None = Field(
        None, description="bounds between which the term is 0, instead of a target"
    )
    over: Literal["example", "batch"] = Field(
        "example",
        description="whether the quantity is that of an example, or its mean over the batch",
    )

    @model_validator(mode="after")
    def _one_aim(self) -> TargetTermConfig:
        if self.window is None:
            return self
        if "target" in self.model_fields_set:
            raise ValueError("a term has a target or a window, not both")
        low, high = self.window
        if low > high:
            raise ValueError(f"expected a window [low, high], found [{low}, {high}]")
        return self


class SilentTermConfig(TermConfig):
    """A regulariser of silent neurons."""

    over: Literal["example", "batch"] = Field(
        "batch",
        description="whether neurons are silent for an example, or for all examples of a batch",
    )


_Term: TypeAlias = Annotated[TermConfig | None, short("coefficient", int, float)]
_SilentTerm: TypeAlias = Annotated[SilentTermConfig | None, short("coefficient", int, float)]
_TargetTerm: TypeAlias = Annotated[TargetTermConfig | None, short("coefficient", int, float)]


class RegularisersConfig(Table):
    """The terms added to the reconstruction loss, by symbol: a coefficient, or a table."""

    beta1: _TargetTerm = Field(None, description="cumulative potential, |U_T / T|")
    beta2: _TargetTerm = Field(None, description="cumulative potential, (U_T / T)^2")
    lambda1: _TargetTerm = Field(None, description="rate, |s / T|")
    lambda2: _TargetTerm = Field(None, description="rate, (s / T)^2")
    silent: _SilentTerm = Field(None, description="distance to threshold of silent neurons")
    l1: _Term = Field(None, description="weights, |w|")
    l2: _Term = Field(None, description="weights, w^2")
    neuron1: _Term = Field(None, description="latent activity")
    example2: _Term = Field(None, description="latent activity of an example, squared")
    neuron2: _Term = Field(None, description="latent activity of a neuron over a batch, squared")

    @property
    def given(self) -> dict[str, TermConfig]:
        """The terms that are set, by symbol."""
        return {symbol: term for symbol, term in self if term is not None}

    def terms(self, latent: str | None) -> dict[str, TermConfig]:
        """Return the terms that are set, by symbol, with their default layers filled in.

        neuron1, example2 and neuron2 act on the `latent` layer by default; a ValueError says that
        there is none.
        """
        terms = {}
        for symbol, term in self.given.items():
            if symbol in _LATENT and "layers" not in term.model_fields_set:
                if latent is None:
                    raise ValueError(
                        f"{symbol} acts on the latent layer, and the network names none; "
                        f'set latent = "LAYER" in [network], or give {symbol} its layers'
                    )
                terms[symbol] = term.model_copy(update={"layers": (latent,)})
            else:
                terms[symbol] = term
        return terms

    def to_mapping(self) -> dict[str, Any]:
        """Return plain data that describes the same terms."""
        mapping = self.model_dump(mode="json", exclude_none=True)
        for symbol, term in self.given.items():
            if "layers" in term.model_fields_set:
                mapping[symbol].setdefault("layers", "all")
            if "window" in mapping[symbol]:
                del mapping[symbol]["target"]
        return mapping
