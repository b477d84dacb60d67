"""A network: what it is (`NetworkConfig`), and what it has learned (`Network`)."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bioae.decoders import Decoder, MaxDecoder
from bioae.encoders import Bernoulli, Encoder
from bioae.equations.library import load_model
from bioae.equations.model import NeuronModel
from bioae.errors import NetworkError
from bioae.layers import Layer, LayerBase, Shape
from bioae.random import stream
from bioae.schedule import SCHEDULES, ScheduleName, Timing
from bioae.validation import describe

if TYPE_CHECKING:
    from bioae.equations.program import Program

__all__ = ["Network", "NetworkConfig", "PlacedLayer", "presets"]

Positive = Annotated[int, Field(ge=1)]


def presets() -> tuple[str, ...]:
    """Return the names of the networks that are shipped."""
    folder = files("bioae") / "networks"
    return tuple(
        sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if ".toml" in f.name)
    )


class NetworkConfig(BaseModel):
    """The description of an auto-encoder: its layers, its code for images, its time.

    Raises
    ------
    NetworkError
        From `from_mapping` and `preset`, if a key is unknown or the layers do not fit together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_shape: tuple[Positive, Positive, Positive] = Field(
        (1, 28, 28), description="(channel, y, x) of an image"
    )
    dt: str = Field("1*ms", description="the time step")
    steps: int = Field(25, ge=1, description="steps T of a presentation")
    schedule: ScheduleName = Field("brian2", description="the order of things within a step")
    neuron: str = Field("lif", description="the neuron model of layers that name none")
    latent: str | None = Field(None, description="the name of the latent layer")
    encoder: Encoder = Field(default_factory=Bernoulli)
    decoder: Decoder = Field(default_factory=MaxDecoder)
    layers: tuple[Layer, ...] = Field(min_length=1)
    neurons: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="neuron models that come with the network, in full"
    )

    @model_validator(mode="after")
    def _consistent(self) -> NetworkConfig:
        names = [layer.name for layer in self.layers]
        twice = {name for name in names if names.count(name) > 1 or name == "input"}
        if twice:
            raise ValueError(f"the layer name {twice.pop()!r} is taken")
        if self.latent is not None and self.latent not in names:
            raise ValueError(f"the latent layer {self.latent!r} is none of {', '.join(names)}")
        shape: Shape = self.input_shape
        for layer in self.layers:
            try:
                layer.weight_shape(shape)
                shape = layer.output_shape(shape)
            except ValueError as error:
                raise ValueError(f"layer {layer.name!r}: {error}") from None
        if math.prod(shape) != math.prod(self.input_shape):
            raise ValueError(
                f"the last layer has the shape {shape}, the images {self.input_shape}: an "
                "auto-encoder gives back what it was given"
            )
        return self

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str) -> NetworkConfig:
        """Build a description from a parsed file; ``preset`` names one to start from.

        Raises
        ------
        NetworkError
            If a key is unknown, a value is out of bounds, or the layers do not fit together.
        """
        values = dict(values)
        preset = values.pop("preset", None)
        if preset is not None:
            values = {**_preset(str(preset), where), **values}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise NetworkError(**describe(error, cls), where=where) from error

    @classmethod
    def preset(cls, name: str, **changes: Any) -> NetworkConfig:
        """Return a shipped network, with some keys changed.

        Raises
        ------
        NetworkError
            If there is none of that name, or the changes do not fit.
        """
        return cls.from_mapping({"preset": name, **changes}, where=f"the network {name!r}")

    def to_mapping(self) -> dict[str, Any]:
        """Return the description as a file would give it; `from_mapping` reads it back."""
        return self.model_dump(mode="json", exclude_none=True)

    def model(self, name: str) -> NeuronModel:
        """Return a neuron model that comes with the network, is shipped, or lies in a file.

        Raises
        ------
        ModelError
            If there is none.
        """
        if name in self.neurons:
            return NeuronModel.from_mapping(name, self.neurons[name], where=f"[neurons.{name}]")
        return load_model(name)

    def self_contained(self) -> NetworkConfig:
        """Return the same description, with the full text of every neuron model in it.

        Raises
        ------
        NetworkError
            If two different models have one name.
        """
        models: dict[str, NeuronModel] = {}
        layers = []
        for layer in self.layers:
            neuron = self.model(layer.neuron or self.neuron)
            readout = self.model(layer.readout)
            for model in (neuron, readout):
                if models.setdefault(model.name, model) != model:
                    raise NetworkError(
                        f"two different neuron models are called {model.name!r}",
                        where=f"layer {layer.name!r}",
                        mend="Rename one of their files",
                    )
            layers.append(layer.model_copy(update={"neuron": neuron.name, "readout": readout.name}))
        default = self.model(self.neuron).name
        return self.varied(
            layers=tuple(layers),
            neuron=default if default in models else layers[0].neuron,
            neurons={name: model.to_mapping() for name, model in models.items()},
        )

    def varied(self, **changes: Any) -> NetworkConfig:
        """Return the description with some fields changed.

        Raises
        ------
        NetworkError
            If the changes do not fit.
        """
        # Not `model_copy`, which would copy what was computed from the old fields too.
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return self.from_mapping({**fields, **changes}, where="the network")

    @cached_property
    def timing(self) -> Timing:
        """Where presentations lie in time."""
        return Timing(SCHEDULES[self.schedule], self.steps)

    @cached_property
    def dt_seconds(self) -> float:
        """The time step in seconds."""
        from bioae.equations.quantities import time_in_seconds

        return time_in_seconds(self.dt, where="network, dt", error=NetworkError)

    @cached_property
    def placed(self) -> tuple[PlacedLayer, ...]:
        """The layers, each with its place in the network."""
        placed = []
        shape: Shape = self.input_shape
        for depth, layer in enumerate(self.layers, start=1):
            model = self.model(layer.neuron or self.neuron).with_parameters(layer.parameters)
            readout = self.model(layer.readout)
            common = readout.parameters.keys() & model.parameters.keys()
            readout = readout.with_parameters({name: model.parameters[name] for name in common})
            placed.append(PlacedLayer(layer, depth, shape, model, readout))
            shape = layer.output_shape(shape)
        return tuple(placed)


@dataclass(frozen=True)
class PlacedLayer:
    """A layer with its place in a network.

    Attributes
    ----------
    layer
        Its description.
    depth
        1 for the first layer; the input is 0.
    input_shape
        The shape of what feeds it.
    model, readout
        Its neuron model, and the model of its potential U: parameters that the two have in common
        are those of the neuron.
    """

    layer: LayerBase
    depth: int
    input_shape: Shape
    model: NeuronModel
    readout: NeuronModel

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @cached_property
    def shape(self) -> Shape:
        """The population's shape: (channel, y, x), or (neuron,)."""
        return self.layer.output_shape(self.input_shape)

    @property
    def size(self) -> int:
        """The number of neurons."""
        return math.prod(self.shape)

    @cached_property
    def program(self) -> Program:
        """The neuron model, lowered."""
        from bioae.equations.lowering import lower

        return lower(self.model)

    @cached_property
    def readout_program(self) -> Program:
        """The read-out model, lowered."""
        from bioae.equations.lowering import lower

        return lower(self.readout)

    @cached_property
    def weight_shapes(self) -> dict[str, Shape]:
        """The shapes of its weight arrays, by name (``LAYER.weight``)."""
        shapes = {f"{self.name}.weight": self.layer.weight_shape(self.input_shape)}
        if self.layer.recurrent:
            shapes[f"{self.name}.recurrent"] = (self.size, self.size)
        return shapes

    @property
    def trainable(self) -> tuple[str, ...]:
        """The names of arrays that hold trained parameters (``LAYER.PARAMETER``)."""
        return tuple(f"{self.name}.{parameter}" for parameter in self.model.trainable)


@dataclass(frozen=True)
class Network:
    """An auto-encoder with its weights.

    Parameters
    ----------
    config
        What it is.
    weights
        Arrays by name: ``LAYER.weight`` and ``LAYER.recurrent`` (target, source) in PyTorch's
        order, and ``LAYER.PARAMETER`` for trained parameters, in base units.

    Raises
    ------
    NetworkError
        If an array is missing, unknown, not finite or of the wrong shape.
    """

    config: NetworkConfig
    weights: Mapping[str, NDArray[np.floating]] = field(repr=False)

    def __post_init__(self) -> None:
        required: dict[str, Shape] = {}
        optional: dict[str, tuple[Shape, ...]] = {}
        for placed in self.config.placed:
            required |= placed.weight_shapes
            optional |= dict.fromkeys(placed.trainable, ((), (placed.size,)))
        for name in required.keys() - self.weights.keys():
            raise NetworkError(f"the weights {name!r} are missing", expected=str(required[name]))
        for name, values in self.weights.items():
            allowed = (required[name],) if name in required else optional.get(name, ())
            _check_array(name, values, allowed)

    @classmethod
    def initialise(cls, config: NetworkConfig, *, seed: int = 0) -> Network:
        """Draw weights; each array has its own stream of random numbers.

        Parameters
        ----------
        config
            The network's description.
        seed
            Seeds the weights.
        """
        weights = {}
        for placed in config.placed:
            for order, (name, shape) in enumerate(placed.weight_shapes.items()):
                fan_in = placed.size if order else placed.layer.fan_in(placed.input_shape)
                deviation = placed.layer.gain * math.sqrt(2.0 / fan_in)
                generator = stream(seed, 2 * placed.depth + order)
                weights[name] = generator.normal(0.0, deviation, shape)
        return cls(config, weights)

    def quantised(self, bits: int = 12) -> Network:
        """Return the network with its connection weights rounded to multiples of ``2**-bits``.

        Sums of such weights are exact in any order, so all targets agree to the last bit.
        """
        grid = 2.0**bits
        synaptic = {name for placed in self.config.placed for name in placed.weight_shapes}
        return Network(
            self.config,
            {
                name: np.rint(values.astype(np.float64) * grid) / grid
                if name in synaptic
                else values
                for name, values in self.weights.items()
            },
        )

    def with_neuron(self, neuron: str) -> Network:
        """Return the network with another neuron model in every layer, its weights unchanged.

        Parameters
        ----------
        neuron
            A shipped model's name, or the path of a TOML file.
        """
        model = load_model(neuron)
        layers = tuple(
            layer.model_copy(update={"neuron": model.name, "parameters": {}})
            for layer in self.config.layers
        )
        config = self.config.varied(
            layers=layers,
            neuron=model.name,
            neurons={**self.config.neurons, model.name: model.to_mapping()},
        )
        synaptic = {name for placed in config.placed for name in placed.weight_shapes}
        return Network(config, {n: v for n, v in self.weights.items() if n in synaptic})

    def with_time(self, **changes: Any) -> Network:
        """Return the network with another time step `dt` or other `steps`, its weights unchanged.

        Raises
        ------
        NetworkError
            If a value does not fit.
        """
        return Network(self.config.varied(**changes), self.weights)

    def parameters(self, placed: PlacedLayer, *, readout: bool = False) -> dict[str, NDArray[Any]]:
        """Return a layer's parameters in base units: scalars, or (neuron) arrays.

        Parameters
        ----------
        placed
            The layer.
        readout
            Whether to return those of its read-out model.
        """
        from bioae.equations.stepping import default_parameters

        values = default_parameters(placed.readout_program if readout else placed.program)
        trained = {name: self.weights.get(f"{placed.name}.{name}") for name in values}
        return values | {n: np.asarray(v, np.float64) for n, v in trained.items() if v is not None}

    @cached_property
    def sha256(self) -> str:
        """A hash of the description and the weights."""
        digest = hashlib.sha256()
        config = self.config.self_contained().to_mapping()
        digest.update(json.dumps(config, sort_keys=True).encode())
        for name in sorted(self.weights):
            values = np.ascontiguousarray(self.weights[name], dtype=np.float64)
            digest.update(f"{name}{values.shape}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()


def _preset(name: str, where: str) -> dict[str, Any]:
    if name not in presets():
        raise NetworkError(
            f"unknown network {name!r}", where=where, expected=f"one of {', '.join(presets())}"
        )
    return tomllib.loads((files("bioae") / "networks" / f"{name}.toml").read_text(encoding="utf-8"))


def _check_array(name: str, values: NDArray[Any], allowed: tuple[Shape, ...]) -> None:
    if not allowed:
        raise NetworkError(f"the network has no array {name!r}")
    if np.shape(values) not in allowed:
        raise NetworkError(
            f"the array {name!r} has the wrong shape",
            expected=" or ".join(str(shape) for shape in allowed),
            found=str(np.shape(values)),
        )
    if not np.isfinite(values).all():
        raise NetworkError(f"the array {name!r} has values that are not finite")
