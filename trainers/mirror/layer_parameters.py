"""Training options of a layer, and the bounds of neuron parameters and delays."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bioae.equations.declarations import trained_bounds
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError, NetworkError
from bioae.networks.inputs import between
from bioae.networks.own_parameters import check_own
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.projections import PlacedProjection
from bioae.trainers.mirror.gradients import Backward


@dataclass(frozen=True)
class LayerOptions:
    """Trained parameters of a layer, and options of its gradients.

    Attributes
    ----------
    backward
        The options of back-propagation.
    trainable
        Names of neuron parameters to train, if the layer's model allows it.
    per_neuron
        The trainable parameters of which each neuron trains its own. The layer trains one value of
        the others, unless the network already has one for each neuron.
    bounds
        The bounds of trained parameters as text, by name, in place of the model's. A parameter for
        which the model has none can be trained, too.
    delays
        The bounds of trained delays as text, by the name of the projection's weights
        (``LAYER.weight``). Each connection trains its own delay where the network has a pair of
        times, all together one where it has a single time.
    """

    backward: Backward = field(default_factory=Backward)
    trainable: Collection[str] = ()
    per_neuron: Collection[str] = ()
    bounds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    delays: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def with_bounds(
    model: NeuronModel, bounds: Mapping[str, tuple[str, str]], where: str
) -> NeuronModel:
    """Return a neuron model with other bounds of trained parameters, texts by parameter.

    Raises `NetworkError` if there is no such parameter, or bounds have another unit, are not in
    order, or exclude the parameter's value.
    """
    if not bounds:
        return model
    try:
        fields = {**model.to_mapping(), "trainable": {**model.trainable, **bounds}}
        changed = NeuronModel.from_mapping(model.name, fields, where=where)
        lower(changed)
        for name in bounds:
            trained_bounds(changed, name)
    except ModelError as error:
        raise NetworkError(
            error.what, where=f"{where}, bounds", expected=error.expected, found=error.found
        ) from error
    return changed


def trained_starts(
    placed: PlacedLayer,
    model: NeuronModel,
    values: Mapping[str, NDArray[np.float64]],
    options: LayerOptions,
) -> dict[str, NDArray[np.float64]]:
    """Return the initial values of the parameters to train that the model allows to be trained.

    `values` are those of all parameters in base units; `model` has the bounds.

    Raises `NetworkError` if a parameter of which each neuron is to get its own cannot differ
    between neurons, has the name of an array of weights, or another parameter follows from it.
    """
    starts = {}
    for name, start in values.items():
        if name not in options.trainable or name not in model.trainable:
            continue
        check_own(placed, model, name)
        shapes = placed.parameter_shapes[f"{placed.name}.{name}"]
        starts[name] = start
        if name in options.per_neuron and start.ndim == 0:
            if (placed.size,) not in shapes:
                raise NetworkError(
                    f"the parameter {name!r} cannot differ from neuron to neuron",
                    where=f"layer {placed.name}, neuron model {placed.model.name}",
                    found="a shared variable that depends on it",
                    hint="Leave it out of `per_neuron`",
                )
            starts[name] = np.full(placed.size, start)
    return starts


def delay_bounds(
    projection: PlacedProjection,
    ends: tuple[str, str],
    start: NDArray[np.int64],
    *,
    dt: float,
    steps: int,
) -> tuple[int, int]:
    """Return the bounds of the trained delays of a projection in steps.

    `ends` are the bounds as text, `start` the initial delays in steps.

    Raises `NetworkError` if the bounds are no times of a presentation, leave no choice of a delay,
    or exclude an initial one; or the synapses of the projection are listed one by one.
    """
    where = f"trained delays of {projection.name!r}"
    if projection.layer.listed:
        raise NetworkError(
            "delays of sparse connections are not trained", where=where,
            expected="a dense or convolutional projection",
        )  # fmt: skip
    low, high = between(ends, dt=dt, steps=steps, where=where)
    if low == high:
        raise NetworkError(
            "there is one delay within the bounds", where=where, found=", ".join(ends),
            expected=f"at least two multiples of dt = {dt * 1e3:g} ms",
        )  # fmt: skip
    outside = start[(start < low) | (start > high)]
    if outside.size:
        raise NetworkError(
            "a delay starts outside its bounds", where=where, expected=" to ".join(ends),
            found=f"{outside[0] * dt * 1e3:g} ms",
            hint="Give the projection a `delay` within the bounds of its training",
        )  # fmt: skip
    return low, high
