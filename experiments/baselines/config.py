"""Description of a baseline: its kind, the network whose shapes it has, and its training.

This file imports no PyTorch.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from bioae.fields import Size, Table
from bioae.networks.config import NetworkConfig
from bioae.networks.encoders import Frames
from bioae.networks.layer_base import LayerBase, Shape
from bioae.trainers.training.config import GradientConfig

#: The activation function of a unit; ``erf`` is erf(x / sqrt 2).
ActivationName = Literal["relu", "tanh", "erf"]


class TrainedKind(Table):
    """Keys of the kinds that have the layers of the network, and are trained.

    The last layer is linear. `bias`: whether all layers with weights have biases; false: those of
    which the network's description says so; `initial`: a file of arrays to start from, by names
    such as ``LAYER.weight``; the others are drawn.
    """

    bias: bool = True
    initial: str | None = None


class AutoencoderKind(TrainedKind):
    """An auto-encoder: the layers of the network with rectified linear units; those of `latent`.

    `active`: the number of latent units that keep their values for an example, the largest ones;
    the others are 0 (Makhzani, Frey 2014, arXiv:1312.5663). `levels`: the number of values that a
    latent unit can have, evenly spaced from 0 to 1, in place of `latent` (see `quantised`).
    """

    kind: Literal["autoencoder"] = "autoencoder"
    latent: Literal["relu", "linear"] = "relu"
    active: Size | None = None
    levels: int | None = Field(None, ge=2)


class VariationalKind(TrainedKind):
    """A variational auto-encoder; `beta` is the factor of the Kullback-Leibler divergence."""

    kind: Literal["variational"] = "variational"
    beta: float = Field(1.0, ge=0, le=1e6)


class FeedforwardKind(TrainedKind):
    """A multilayer perceptron or a convolutional network of the network's layers, of any task."""

    kind: Literal["feedforward"] = "feedforward"
    activation: ActivationName = "relu"


class RecurrentKind(TrainedKind):
    """A recurrent network for signals: dense layers with ``recurrent = true`` have a `cell`."""

    kind: Literal["recurrent"] = "recurrent"
    cell: Literal["relu", "tanh", "lstm", "slstm"] = "tanh"


class PcaKind(Table):
    """The first principal components of the training images, as many as latent units."""

    kind: Literal["pca"] = "pca"


class MeanImageKind(Table):
    """The mean of the training images, whatever the image."""

    kind: Literal["mean_image"] = "mean_image"


class ZeroKind(Table):
    """Zero everywhere, whatever the image."""

    kind: Literal["zero"] = "zero"


#: A baseline by its name, or a table.
Kind = Annotated[
    Annotated[
        AutoencoderKind
        | VariationalKind
        | FeedforwardKind
        | RecurrentKind
        | PcaKind
        | MeanImageKind
        | ZeroKind,
        Field(discriminator="kind"),
    ],
    BeforeValidator(lambda value: {"kind": value} if isinstance(value, str) else value),
]


class Place(NamedTuple):
    """A layer of the description, and the shapes of its input and output."""

    layer: LayerBase
    input_shape: Shape
    shape: Shape


class BaselineConfig(GradientConfig):
    """The configuration of a baseline's run.

    Of the network, its layers and its latent layer matter: their kinds and shapes. Of ``training``
    and ``regularisers``, kinds without training use the seed, which chooses the validation split.

    Raises `NetworkError` from `from_mapping`, if a key is unknown or a value does not fit.
    """

    baseline: Kind

    @property
    def latent(self) -> Place:
        """The latent layer.

        Raises `ValueError` if the network names none.
        """
        for place in places(self.network):
            if place.layer.name == self.network.latent:
                return place
        raise ValueError('the network names no latent layer; set latent = "LAYER" in [network]')


def places(network: NetworkConfig) -> tuple[Place, ...]:
    """Return the layers of a network with their shapes, for inputs without an encoder.

    They are those of the spiking network, unless its encoder gives a pixel several neurons: its
    first layer then has that many input channels per channel here. The channels of signals have the
    `shape` of the encoder ``frames``, if it has one.
    """
    encoder, found = network.encoder, []
    shape: Shape = (encoder.shape if isinstance(encoder, Frames) else None) or network.input_shape
    for layer in network.layers:
        found.append(Place(layer, shape, layer.output_shape(shape)))
        shape = found[-1].shape
    return tuple(found)
