"""Description of a baseline: its kind, the network whose shapes it has, and its training.

This file imports no PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Self

from pydantic import model_validator

from bioae.networks.config import NetworkConfig
from bioae.networks.encoders import Frames
from bioae.networks.layers import Dense, LayerBase, Pool2d, Shape
from bioae.trainers.training.config import RunConfig
from bioae.trainers.training.terms import WEIGHT_TERMS, RegularisersConfig
from experiments.baselines.kinds import (
    FeedforwardKind,
    Kind,
    PcaKind,
    RecurrentKind,
    TrainedKind,
    VariationalKind,
)

__all__ = ["LOG_VARIANCE", "BaselineConfig", "Place", "places"]


#: Before ``weight`` and ``bias`` in the names of the arrays that give the latent log-variance.
LOG_VARIANCE = "log_variance_"

#: The input, forget, cell and output gates of long short-term memory, in the order of PyTorch.
_GATES = 4


class Place(NamedTuple):
    """A layer of the description, and the shapes of its input and output."""

    layer: LayerBase
    input_shape: Shape
    shape: Shape


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
        for terms in (self.regularisers, *(each.regularisers for each in self.training.stages)):
            _check_terms(terms)
        if any(stage.trainable for stage in self.training.stages):
            raise ValueError("`trainable` of a stage: a baseline has no neuron parameters")
        if isinstance(kind, FeedforwardKind):
            _check_feedforward(network)
        elif isinstance(kind, RecurrentKind):
            _check_recurrent(network, kind)
        else:
            self._check_reconstruction()
        return self

    def _check_reconstruction(self) -> None:
        network, kind = self.network, self.baseline
        if network.task.kind != "reconstruction":
            raise ValueError(
                f"the baseline {kind.kind!r} reconstructs images: expected a network of the task "
                f"'reconstruction', found {network.task.kind!r}; the baselines 'feedforward' and "
                "'recurrent' do other tasks"
            )
        if isinstance(kind, PcaKind) and self.components > math.prod(network.input_shape):
            raise ValueError(
                f"an image has {math.prod(network.input_shape)} pixels, fewer than the "
                f"{self.components} principal components"
            )
        if isinstance(kind, TrainedKind):
            self._check_latent(kind)

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
    def sources(self) -> list[tuple[str, Place]]:
        """The layers with what comes before ``weight`` and ``bias`` in the names of their arrays.

        The latent layer of a variational auto-encoder is there twice.
        """
        sources = [("", place) for place in places(self.network)]
        variational = isinstance(self.baseline, VariationalKind)
        return [*sources, (LOG_VARIANCE, self.latent)] if variational else sources

    @property
    def array_shapes(self) -> dict[str, Shape]:
        """The shapes of what is learned, by name.

        ``LAYER.weight`` and ``LAYER.bias`` of trained kinds; of a variational auto-encoder also
        ``LATENT.log_variance_weight`` and ``LATENT.log_variance_bias``; of a recurrent layer
        ``LAYER.weight`` (unit, input), ``LAYER.recurrent`` (unit, unit) and ``LAYER.bias`` (unit,),
        with 4 times the rows for ``lstm``: those of the input, forget, cell and output gates, one
        gate after another. ``mean`` and ``components`` of the kinds that are fitted.
        """
        kind = self.baseline
        if not isinstance(kind, TrainedKind):
            pixels = math.prod(self.network.input_shape)
            components = self.components if isinstance(kind, PcaKind) else 0
            return {"mean": (pixels,), "components": (components, pixels)}
        shapes: dict[str, Shape] = {}
        for prefix, (layer, shape, _) in self.sources:
            if isinstance(layer, Pool2d):
                continue  # its weights are fixed
            name = f"{layer.name}.{prefix}"
            gates = 1
            if isinstance(kind, RecurrentKind) and layer.recurrent:
                gates = _GATES if kind.cell == "lstm" else 1
                (units,) = layer.bias_shape(shape)
                shapes[f"{name}recurrent"] = (gates * units, units)
            first, *rest = layer.weight_shape(shape)
            shapes[f"{name}weight"] = (gates * first, *rest)
            if kind.bias or layer.bias:
                shapes[f"{name}bias"] = (gates * layer.bias_shape(shape)[0],)
        return shapes

    def _check_latent(self, kind: TrainedKind) -> None:
        latent, last = self.latent, places(self.network)[-1]
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
        _check_outputs(self.network)


def places(network: NetworkConfig) -> tuple[Place, ...]:
    """Return the layers of a network with their shapes, for inputs without an encoder.

    They are those of the spiking network, unless its encoder gives a pixel several neurons: its
    first layer then has that many input channels per channel here. The channels of signals have the
    `shape` of the encoder ``frames``, if it has one.

    Raises
    ------
    ValueError
        If a layer does not fit.
    """
    return tuple(_places(network))


def _places(network: NetworkConfig) -> Iterator[Place]:
    encoder = network.encoder
    arranged = encoder.shape if isinstance(encoder, Frames) else None
    shape: Shape = arranged or network.input_shape
    for layer in network.layers:
        try:
            place = Place(layer, shape, layer.output_shape(shape))
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r}: {error}") from None
        yield place
        shape = place.shape


def _check_outputs(network: NetworkConfig) -> None:
    """Reject a last layer from which each output is not read from one unit."""
    units = math.prod(places(network)[-1].shape)
    outputs = math.prod(network.output_shape)
    if units != outputs:
        what = "pixels" if network.task.kind == "reconstruction" else "outputs of the task"
        raise ValueError(
            f"the last layer has {units} outputs for {outputs} {what}: a baseline reads each "
            "output from one neuron"
        )


def _check_feedforward(network: NetworkConfig) -> None:
    if network.task.in_time:
        raise ValueError(
            f"the task {network.task.kind!r} has an output for each step, and the baseline "
            "'feedforward' one output: choose the baseline 'recurrent'"
        )
    if network.in_time and network.points > 1:
        raise ValueError(
            f"the baseline 'feedforward' reads one point in time, and signals have "
            f"{network.points}: choose the baseline 'recurrent', or, for signals with one point, "
            f"every = {network.steps} in the encoder"
        )
    _check_outputs(network)


def _check_recurrent(network: NetworkConfig, kind: RecurrentKind) -> None:
    if not network.in_time:
        raise ValueError(
            "the baseline 'recurrent' is for signals, and input_shape = "
            f"{list(network.input_shape)} for images: choose the baseline 'feedforward'"
        )
    recurrent = [layer for layer in network.layers if layer.recurrent]
    others = [layer.name for layer in recurrent if not isinstance(layer, Dense)]
    if others:
        raise ValueError(f"layer {others[0]!r}: in baselines only dense layers are recurrent")
    if not recurrent:
        raise ValueError(
            "the baseline 'recurrent' needs a recurrent layer: set recurrent = true in a dense one"
        )
    if network.layers[-1].recurrent and kind.output != "linear":
        raise ValueError(
            f"baseline.output = {kind.output!r} has no effect: the last layer is recurrent, and "
            "its units are those of `cell`"
        )
    default = RecurrentKind.model_fields["activation"].default
    if kind.activation != default and all(layer.recurrent for layer in network.layers[:-1]):
        raise ValueError(
            f"baseline.activation = {kind.activation!r} has no effect: all layers but the last one "
            "are recurrent, and their units are those of `cell`"
        )
    if network.decoder.reads == "latency":
        raise ValueError(
            f"the decoder {network.decoder.kind!r} reads the times of spikes, which a baseline "
            "does not have"
        )


def _check_terms(terms: RegularisersConfig | None) -> None:
    for symbol in terms.model_fields_set if terms else ():
        if symbol not in WEIGHT_TERMS:
            raise ValueError(
                f"the regulariser {symbol} acts on spikes, which a baseline does not have; "
                f"expected one of {', '.join(WEIGHT_TERMS)}"
            )
