"""Kinds of baselines: the table ``baseline`` of a configuration.

This file imports no PyTorch.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from bioae.fields import Size, Table

__all__ = [
    "ActivationName",
    "AutoencoderKind",
    "FeedforwardKind",
    "Kind",
    "MeanImageKind",
    "PcaKind",
    "RecurrentKind",
    "TrainedKind",
    "VariationalKind",
    "ZeroKind",
]

#: The activation function of a unit; ``erf`` is erf(x / sqrt 2).
ActivationName = Literal["relu", "tanh", "erf"]


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
    initial: str | None = Field(
        None,
        min_length=1,
        description="a file of arrays to start from, by names such as `LAYER.weight`: the "
        "`weights.safetensors` of a baseline, or another one; the others are drawn",
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


class FeedforwardKind(TrainedKind):
    """A multilayer perceptron or a convolutional network of the network's layers, of any task."""

    kind: Literal["feedforward"] = "feedforward"
    activation: ActivationName = Field(
        "relu", description="the activation function of all layers but the last one"
    )


class RecurrentKind(TrainedKind):
    """A recurrent network for signals: dense layers with `recurrent = true` are recurrent."""

    kind: Literal["recurrent"] = "recurrent"
    cell: Literal["relu", "tanh", "lstm"] = Field(
        "tanh",
        description='the units of recurrent layers: `"relu"`, `"tanh"`, or `"lstm"` (long '
        "short-term memory)",
    )
    activation: ActivationName = Field(
        "relu", description="the activation function of the other layers, but of the last one"
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
        AutoencoderKind
        | VariationalKind
        | FeedforwardKind
        | RecurrentKind
        | PcaKind
        | MeanImageKind
        | ZeroKind,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_named),
]
