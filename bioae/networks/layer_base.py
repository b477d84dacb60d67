"""Base of layers: the keys of all kinds, and the interface of their connections.

Indices are in C order of (channel, y, x). A connection names the weight between two neurons; each
target computes it in its own way.
"""

from __future__ import annotations

import math
import sys
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, ConfigDict, Field, Strict, field_validator, model_validator

from bioae.fields import Positive, Table

Shape = tuple[int, ...]
Index = NDArray[np.int64]

#: The name of the source of projections from the encoder.
ENCODER = "input"

#: One time for all connections, or the range from which each connection draws its own.
Delay = str | Annotated[tuple[str, str], Strict(False)] | None

#: The standard deviation of Gaussian noise, in network weights per square root of a millisecond;
#: or the weight and the rate of background spikes.
Background = float | Annotated[tuple[float, str], Strict(False)] | None

#: The coefficient of variation of a log-normal distribution; or the ends of a uniform one.
Spread = float | Annotated[tuple[str, str], Strict(False)]


def as_text(value: Any) -> Any:
    """Return a quantity of Brian2 as text; return anything else unchanged."""
    if "brian2" not in sys.modules or value is None or isinstance(value, str):
        return value  # nobody has a quantity who has not imported it
    from bioae.equations.quantities import text_of

    return text_of(value)


def as_texts(value: Any) -> Any:
    """Return quantities of Brian2 as text, in lists and tables too."""
    if isinstance(value, Mapping):
        return {name: as_texts(each) for name, each in value.items()}
    return [*map(as_texts, value)] if isinstance(value, list | tuple) else as_text(value)


def _of_form(value: Any, forms: set[str], complaint: str) -> Any:
    """Return a value of one of some forms: a text t, a number n, none -, or a list of these."""
    value = as_texts(value)
    entries = value if isinstance(value, list) else [value]
    form = "".join(
        "t" if type(each) is str else "n" if _is_number(each) else "-" if each is None else "?"
        for each in entries
    )
    if (f"[{form}]" if isinstance(value, list) else form) not in forms:
        raise ValueError(f"{complaint}, found {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


class Connections(NamedTuple):
    """The synapses of a pathway, one entry per synapse.

    Attributes
    ----------
    source, target
        Indices of neurons (synapse).
    weight
        Indices into the flattened weight array (synapse).
    """

    source: Index
    target: Index
    weight: Index


def _delay(value: Any) -> Any:
    expected = 'a time such as "2*ms", or a pair such as ["1*ms", "5*ms"]'
    return _of_form(value, {"-", "t", "[tt]"}, f"expected {expected}")


#: A delay in a file, or in Python with Brian2's units.
DelayField: TypeAlias = Annotated[Delay, BeforeValidator(_delay)]

#: The pattern of names of populations and projections.
NAME = r"^[a-z](_?[a-z0-9])*$"

#: The largest magnitude of an initial weight.
_LARGEST_WEIGHT = 1e6


def _initial(value: object) -> object:
    """Return initial weights as a text, a number, or a pair of numbers."""
    pair = tuple(value) if isinstance(value, list | tuple) else (value, value)
    numbers = all(_is_number(each) and abs(each) <= _LARGEST_WEIGHT for each in pair)
    if value in {"normal", "orthogonal"} if isinstance(value, str) else numbers and len(pair) == 2:
        if not isinstance(value, str) and pair[0] > pair[1]:
            raise ValueError(f"expected [least, largest], found {list(pair)}")
        return pair if isinstance(value, list | tuple) else value
    raise ValueError(
        f'expected "normal", "orthogonal", a number from {-_LARGEST_WEIGHT:g} to '
        f"{_LARGEST_WEIGHT:g}, or [least, largest], found {value!r}"
    )


#: Initial weights: a distribution, one number, or the bounds of a uniform distribution.
Initial: TypeAlias = Annotated[
    str | float | Annotated[tuple[float, float], Strict(False)], BeforeValidator(_initial)
]


class PopulationBase(Table):
    """The keys of neurons: of populations, and of all kinds of layers."""

    # Instances too: `model_copy` does not check what it changes.
    model_config = ConfigDict(revalidate_instances="always")

    name: str = Field(pattern=NAME, description="lower case, no `__`, unique in the network")
    neuron: str | None = Field(
        None, description="a neuron model's name or file; the network's `neuron` by default"
    )
    parameters: dict[str, str] = Field(
        default_factory=dict, description="parameters of the neuron model that replace its own"
    )
    spread: dict[str, Spread] = Field(
        default_factory=dict,
        description="initial values of parameters that differ from neuron to neuron, see "
        "[spread](#spread)",
    )
    weight: str | None = Field(
        None, pattern=r"\S", description="the unit of weight: replaces the model's `weight`"
    )
    background: Background = Field(
        None,
        description="noise from outside the network, in network weights: the standard deviation of "
        "Gaussian noise per square root of a millisecond; or the weight and rate of spikes, "
        '[0.1, "20*Hz"]',
    )
    readout: str = Field(
        "leaky_readout", description="the model of the potential U, which is never reset"
    )
    bias: bool = Field(False, description="whether neurons have a [bias](#bias), which is trained")

    @field_validator("weight", "parameters", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return as_texts(value)

    @field_validator("spread", mode="before")
    @classmethod
    def _variations_or_ends(cls, spread: Any) -> Any:
        expected = 'a coefficient of variation such as 0.2, or a pair such as ["20*ms", "200*ms"]'
        if not isinstance(spread, Mapping):
            return spread
        return {
            name: _of_form(value, {"n", "[tt]"}, f"{name}: expected {expected}")
            for name, value in spread.items()
        }

    @field_validator("background", mode="before")
    @classmethod
    def _noise_or_spikes(cls, value: Any) -> Any:
        expected = (
            "a standard deviation such as 0.1, or the weight and rate of spikes, such as "
            '[0.1, "20*Hz"]'
        )
        return _of_form(value, {"-", "n", "[nt]"}, f"expected {expected}")

    #: Whether several synapses from the layer before share one weight.
    shares_weights: ClassVar[bool] = False

    @abstractmethod
    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the population's shape: (channel, y, x), or (neuron,)."""

    def bias_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the biases: (channel,) where they share weights, or (neuron,)."""
        shape = self.output_shape(input_shape)
        return shape[:1] if self.shares_weights else (math.prod(shape),)


class ProjectionBase(Table):
    """The keys of connections: of projections, and of all kinds of layers."""

    delay: DelayField = Field(
        None,
        description="the delay of spikes from the layer before, beyond one step: a time, or a pair "
        "from which each connection draws its own",
    )
    synapse: str | None = Field(
        None,
        description="a [synapse model](synapse-models.md)'s name or file, by which the weights "
        "from the layer before learn; none by default",
    )
    initial: Initial = Field(
        "normal", description="the [initial weights](#initial-weights): `\"normal\"`, "
        "`\"orthogonal\"`, a number, or the bounds of a uniform distribution",
    )  # fmt: skip
    gain: Positive = Field(1.0, description="scale of the initial weights")
    sign: Literal["positive", "negative"] | None = Field(
        None, description="the sign of all weights, which training keeps (Dale's law); by default "
        "each has its own",
    )  # fmt: skip


class LayerBase(ProjectionBase, PopulationBase):
    """The keys of all kinds of layers: a population, and the projection from the one before."""

    recurrent: bool = Field(False, description="whether neurons also project to each other")
    recurrent_delay: DelayField = Field(None, description="the delay within the layer")
    autapses: bool = Field(False, description="whether a recurrent neuron also projects to itself")
    recurrent_synapse: str | None = Field(
        None, description="the synapse model of the connections within the layer"
    )
    recurrent_initial: Initial | None = Field(
        None, description="the initial recurrent weights; `initial` by default"
    )
    recurrent_gain: Positive | None = Field(
        None, description="scale of the initial recurrent weights; `gain` by default"
    )

    newer: ClassVar[frozenset[str]] = frozenset(
        {"spread", "bias", "initial", "synapse", "recurrent_synapse", "recurrent_initial", "sign"}
    )

    shares_weights: ClassVar[bool] = True

    #: Whether its synapses are listed in arrays of the network.
    listed: ClassVar[bool] = False

    @model_validator(mode="after")
    def _recurrent_keys(self) -> LayerBase:
        keys = "delay", "gain", "initial", "synapse"
        for key in ("autapses", *(f"recurrent_{each}" for each in keys)):
            if not self.recurrent and getattr(self, key) not in (None, False):
                raise ValueError(f"`{key}` needs `recurrent = true`")
        return self

    @abstractmethod
    def weight_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the weights, in PyTorch's order."""

    def fixed_weights(self, input_shape: Shape) -> NDArray[np.float64] | None:
        """Return the weights, in the shape of `weight_shape`, if they are not trained."""
        return None

    @abstractmethod
    def fan_in(self, input_shape: Shape) -> int:
        """Return the number of inputs of a neuron."""

    @abstractmethod
    def connections(self, input_shape: Shape) -> Connections:
        """Return the layer's feed-forward synapses."""


def all_to_all(sources: int, targets: int) -> Connections:
    """Return every pair of neurons, weights (target, source)."""
    weight = np.arange(sources * targets)
    target, source = np.divmod(weight, sources)
    return Connections(source, target, weight)
