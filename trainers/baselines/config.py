"""Description of a baseline: its kind, the network whose shapes it has, and its training.

This file imports no PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from bioae.fields import Size, Table
from bioae.networks.config import NetworkConfig
from bioae.networks.layers import LayerBase, Pool2d, Shape
from bioae.trainers.training.config import RunConfig
from bioae.trainers.training.terms import WEIGHT_TERMS, RegularisersConfig

__all__ = [
    "LOG_VARIANCE",
    "AutoencoderKind",
    "BaselineConfig",
    "Kind",
    "MeanImageKind",
    "PcaKind",
    "Place",
    "TrainedKind",
    "VariationalKind",
    "ZeroKind",
    "places",
]


#: Before ``weight`` and ``bias`` in the names of the arrays that give the latent log-variance.
LOG_VARIANCE = "log_variance_"


class Place(NamedTuple):
    """A layer of the description, and the shapes of its input and output."""

    layer: LayerBase
    input_shape: Shape
    shape: Shape


class TrainedKind(Table):
    """Keys of the kinds that have the layers of the network, and are trained."""

    output: Literal["linear", "sigmoid"] = Field(
        "linear", description="the activation function of the last layer"
    )
    bias: bool = Field(
        True,
        description="whether all layers with weights have biases; false: those of which the "
        "network's description says so",
    )


class AutoencoderKind(TrainedKind):
    """An auto-encoder: the layers of the network with rectified linear units."""

    kind: Literal["autoencoder"] = "autoencoder"
    latent: Literal["relu", "linear"] = Field(
        "relu", description="the activation function of the latent layer"
    )


class VariationalKind(TrainedKind):
    """A variational auto-encoder; a beta-VAE if `beta` is not 1."""

    kind: Literal["variational"] = "variational"
    beta: float = Field(
        1.0, ge=0, le=1e6, description="the factor of the Kullback-Leibler divergence"
    )


class PcaKind(Table):
    """The first principal components of the training images."""

    kind: Literal["pca"] = "pca"
    components: Size | None = Field(
        None, description="the number of components; the size of the latent layer by default"
    )


class MeanImageKind(Table):
    """The mean of the training images, whatever the image."""

    kind: Literal["mean_image"] = "mean_image"


class ZeroKind(Table):
    """Zero everywhere, whatever the image."""

    kind: Literal["zero"] = "zero"


def _named(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


#: A baseline by its name, or a table.
Kind = Annotated[
    Annotated[
        AutoencoderKind | VariationalKind | PcaKind | MeanImageKind | ZeroKind,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_named),
]


class BaselineConfig(RunConfig):
    """The configuration of a baseline's run.

    Of the network, its layers and its latent layer matter: their kinds and shapes. Of ``training``
    and ``regularisers``, kinds without training use the seed, which chooses the validation split.

    Raises
    ------
    NetworkError
        From `from_mapping`, if a key is unknown or a value does not fit.
    """

    baseline: Kind

    @model_validator(mode="after")
    def _fits(self) -> Self:
        network, kind = self.network, self.baseline
        if network.task.kind != "reconstruction":
            raise ValueError(
                "baselines reconstruct images: expected a network of the task 'reconstruction', "
                f"found {network.task.kind!r}"
            )
        for terms in (self.regularisers, *(each.regularisers for each in self.training.stages)):
            _check_terms(terms)
        if any(stage.trainable for stage in self.training.stages):
            raise ValueError("`trainable` of a stage: a baseline has no neuron parameters")
        if isinstance(kind, PcaKind) and self.components > math.prod(network.input_shape):
            raise ValueError(
                f"an image has {math.prod(network.input_shape)} pixels, fewer than the "
                f"{self.components} principal components"
            )
        if isinstance(kind, TrainedKind):
            self._check_latent(kind)
        return self

    @property
    def components(self) -> int:
        """The number of principal components.

        Raises
        ------
        ValueError
            If neither the kind nor a latent layer gives it.
        """
        if isinstance(self.baseline, PcaKind) and self.baseline.components is not None:
            return self.baseline.components
        return math.prod(self.latent.shape)

    @property
    def latent(self) -> Place:
        """The latent layer.

        Raises
        ------
        ValueError
            If the network names none.
        """
        for place in places(self.network):
            if place.layer.name == self.network.latent:
                return place
        raise ValueError(
            f"the baseline {self.baseline.kind!r} needs the latent layer, and the network names "
            'none; set latent = "LAYER" in [network]'
        )

    @property
    def array_shapes(self) -> dict[str, Shape]:
        """The shapes of what is learned, by name.

        ``LAYER.weight`` and ``LAYER.bias`` of an auto-encoder, and of a variational one
        ``LATENT.log_variance_weight`` and ``LATENT.log_variance_bias``; ``mean`` and ``components``
        of the other kinds.
        """
        kind = self.baseline
        if not isinstance(kind, TrainedKind):
            pixels = math.prod(self.network.input_shape)
            components = self.components if isinstance(kind, PcaKind) else 0
            return {"mean": (pixels,), "components": (components, pixels)}
        sources = [("", place) for place in places(self.network)]
        if isinstance(kind, VariationalKind):
            sources.append((LOG_VARIANCE, self.latent))
        shapes: dict[str, Shape] = {}
        for prefix, (layer, shape, _) in sources:
            if isinstance(layer, Pool2d):
                continue  # its weights are fixed
            shapes[f"{layer.name}.{prefix}weight"] = layer.weight_shape(shape)
            if kind.bias or layer.bias:
                shapes[f"{layer.name}.{prefix}bias"] = layer.bias_shape(shape)
        return shapes

    def _check_latent(self, kind: TrainedKind) -> None:
        latent, last = self.latent, places(self.network)[-1]
        pixels = math.prod(self.network.input_shape)
        if latent == last:
            raise ValueError(
                f"the latent layer {latent.layer.name!r} is the last one: an auto-encoder has "
                "a decoder after it"
            )
        if isinstance(kind, VariationalKind) and isinstance(latent.layer, Pool2d):
            raise ValueError(
                f"the latent layer {latent.layer.name!r} has no weights, from which mean and "
                "variance could be learned"
            )
        if math.prod(last.shape) != pixels:
            raise ValueError(
                f"the last layer has {math.prod(last.shape)} outputs for {pixels} pixels: a "
                "baseline reads each output from one neuron"
            )


def places(network: NetworkConfig) -> tuple[Place, ...]:
    """Return the layers of a network with their shapes, for images without an encoder.

    They are those of the spiking network, unless its encoder gives a pixel several neurons: its
    first layer then has that many input channels per channel here.

    Raises
    ------
    ValueError
        If a layer does not fit.
    """
    return tuple(_places(network))


def _places(network: NetworkConfig) -> Iterator[Place]:
    shape: Shape = network.input_shape
    for layer in network.layers:
        try:
            place = Place(layer, shape, layer.output_shape(shape))
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r}: {error}") from None
        yield place
        shape = place.shape


def _check_terms(terms: RegularisersConfig | None) -> None:
    for symbol in terms.model_fields_set if terms else ():
        if symbol not in WEIGHT_TERMS:
            raise ValueError(
                f"the regulariser {symbol} acts on spikes, which a baseline does not have; "
                f"expected one of {', '.join(WEIGHT_TERMS)}"
            )
