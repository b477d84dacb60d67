"""Bounds of trained parameters that replace those of a neuron model."""

from __future__ import annotations

from collections.abc import Mapping

from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.parameters import trained_bounds
from bioae.errors import ModelError, NetworkError

__all__ = ["with_bounds"]


def with_bounds(
    model: NeuronModel, bounds: Mapping[str, tuple[str, str]], where: str
) -> NeuronModel:
    """Return a neuron model with other bounds of trained parameters.

    Parameters
    ----------
    model
        The model.
    bounds
        The lower and the upper bound as text, by parameter.
    where
        The layer, named in errors.

    Raises
    ------
    NetworkError
        If there is no such parameter, or bounds have another unit, are not in order, or exclude
        the parameter's value.
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
