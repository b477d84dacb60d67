"""The keys of a network, and what follows from them alone: its models and its input's shape."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import Field, Strict, field_validator

from bioae.equations.model import NeuronModel
from bioae.equations.synapses.model import SynapseModel
from bioae.errors import NetworkError
from bioae.fields import Size, Steps, Table
from bioae.networks.decoders import Decoder, MaxDecoder
from bioae.networks.encoders import Bernoulli, Encoder
from bioae.networks.graph import Population, Projection
from bioae.networks.layer_base import PopulationBase, Shape, as_text
from bioae.networks.layers import Layer
from bioae.networks.schedule import ClockName, ScheduleName
from bioae.networks.tasks import Reconstruction, Task


class NetworkDescription(Table):
    """Base of `NetworkConfig`: its keys, before layers have their places and models."""

    newer: ClassVar[frozenset[str]] = frozenset(
        {"task", "synapses", "layers", "populations", "projections", "clock", "carry_over", "rest"}
    )

    input_shape: Annotated[tuple[Size, ...], Strict(False)] = Field(
        (1, 28, 28), description="(channel, y, x) of an image, or (channel) of a signal"
    )
    dt: str = Field("1*ms", description="the time step; Brian2's default is 0.1 ms")
    steps: Steps = Field(25, description="steps T of a presentation")
    schedule: ScheduleName = Field("brian2", description="the order of operations within a step")
    clock: ClockName = Field(
        "staggered", description="whether windows of presentations begin later in deeper layers, "
        "or at the same time in all"
    )  # fmt: skip
    carry_over: bool = Field(
        False, description="whether presentations start from the state in which the one before "
        "ended, without a reset; on a common clock"
    )  # fmt: skip
    rest: str | None = Field(
        None, description="the time without input after each presentation, which results leave "
        "out; with `carry_over`"
    )  # fmt: skip
    neuron: str = Field("lif", description="the neuron model of layers without `neuron`")
    latent: str | None = Field(None, description="the name of the latent layer")
    task: Task = Field(default_factory=Reconstruction)
    encoder: Encoder = Field(default_factory=Bernoulli)
    decoder: Decoder = Field(default_factory=MaxDecoder)
    layers: Annotated[tuple[Layer, ...], Strict(False)] = Field(
        (), description="a chain of layers; or give `populations`"
    )
    populations: Annotated[tuple[Population, ...], Strict(False)] = Field(
        (), description="the populations of a graph; the decoder reads the last one"
    )
    projections: Annotated[tuple[Projection, ...], Strict(False)] = Field(
        (), description="the projections between them"
    )
    neurons: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="neuron models that are part of the description, in full"
    )
    synapses: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="synapse models that are part of the description"
    )

    @field_validator("dt", "rest", mode="before")
    @classmethod
    def _time(cls, value: Any) -> Any:
        return as_text(value)

    @field_validator("input_shape")
    @classmethod
    def _image_or_signal(cls, shape: Shape) -> Shape:
        if len(shape) not in (1, 3):
            raise ValueError(
                f"expected [channel, y, x] of images or [channel] of signals, found {list(shape)}"
            )
        return shape

    @abstractmethod
    def model(self, name: str) -> NeuronModel:
        """Return a neuron model of the network, a shipped one, or one from a file (ModelError)."""

    @abstractmethod
    def synapse(self, name: str) -> SynapseModel:
        """Return a synapse model of the network, a shipped one, or one from a file (ModelError)."""

    @property
    def members(self) -> tuple[PopulationBase, ...]:
        """The layers of a chain, or the populations of a graph."""
        return self.layers or self.populations

    @property
    def encoded_shape(self) -> Shape:
        """The shape of the input neurons."""
        return self.encoder.output_shape(self.input_shape)

    @cached_property
    def dt_seconds(self) -> float:
        """The time step in seconds."""
        from bioae.equations.quantities import time_in_seconds

        return time_in_seconds(self.dt, where="network, dt", error=NetworkError)
