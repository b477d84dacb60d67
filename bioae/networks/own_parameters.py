"""Parameters of neurons that a network replaces, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bioae.equations.expressions import Expression
from bioae.equations.model import NeuronModel
from bioae.errors import NetworkError
from bioae.networks.layer_base import LayerBase
from bioae.networks.placed_layer import PlacedLayer

if TYPE_CHECKING:
    from brian2 import Quantity

#: The settings of layers that are attributes of a result.
_SETTINGS = ("weight", "background", "delay")


def check_own(placed: PlacedLayer, model: NeuronModel, name: str, *, alone: bool = True) -> None:
    """Check that an array may take the place of a parameter of a layer's model.

    Other parameters follow from it unless they are fixed (`alone`).
    """
    placed.array_of(name)
    texts = model.parameters.items() if alone else ()
    follower = next((each for each, text in texts if name in Expression(text).names), None)
    if follower is not None:
        raise NetworkError(
            f"the parameter {follower!r} follows from {name!r}, and would keep its value",
            where=f"layer {placed.name!r}, neuron model {model.name}",
            found=f'{follower} = "{model.parameters[follower]}"',
            hint="Write the expression in the equations",
        )


def own_parameters(
    placed: PlacedLayer, values: Mapping[str, str | float | Quantity]
) -> dict[str, NDArray[np.float64]]:
    """Return arrays of a layer's parameters, in base units, by their names in a network.

    Values have their unit, single or (neuron). Parameters whose values follow from one of these
    follow.
    """
    from brian2.units import get_dimensions

    from bioae.equations.declarations import parameter_values
    from bioae.equations.quantities import evaluate, text_of, unit_name

    before = parameter_values(placed.model)
    given: dict[str, Any] = {}
    for name, value in values.items():
        where = f"layer {placed.name!r}, {name}"
        check_own(placed, placed.model, name, alone=np.ndim(value) > 0)
        if np.ndim(value):
            unit = get_dimensions(before[name])
            if get_dimensions(value) != unit or np.asarray(value).dtype.kind not in "iuf":
                raise NetworkError(
                    "the values do not fit the parameter", where=where,
                    expected=f"one for each neuron, with the unit {unit_name(unit)}",
                    found=repr(value)[:80],
                )  # fmt: skip
            given[name] = np.asarray(value, np.float64)
        else:
            plain = isinstance(value, int | float | np.number) and not hasattr(value, "dim")
            text = repr(float(value)) if plain and not isinstance(value, bool) else value
            given[name] = evaluate(
                text, dimensions_of=before[name], where=where, error=NetworkError
            )
    single = {name: text_of(value) for name, value in given.items() if not np.ndim(value)}
    after = parameter_values(placed.model.with_parameters(single))
    follow = {name: value for name, value in after.items() if value != before[name]} | given
    return {
        f"{placed.name}.{name}": np.asarray(value, np.float64) for name, value in follow.items()
    }


def own_texts(placed: PlacedLayer, arrays: Mapping[str, NDArray[Any]]) -> list[str]:
    """Return texts of the parameters that a layer does not take from its model's file.

    Those that differ between neurons are shown by their mean and standard deviation.
    """
    own = {
        name: array
        for name in placed.model.parameters
        if (array := f"{placed.name}.{name}") in arrays and array not in placed.array_shapes
    }
    names = [name for name in placed.model.parameters if name in {*own, *placed.layer.parameters}]
    if not names:
        return []
    from brian2.units import Quantity, get_dimensions, in_best_unit

    from bioae.equations.declarations import parameter_values

    defaults, texts = parameter_values(placed.model), []
    for name in names:
        values = np.asarray(arrays[own[name]] if name in own else defaults[name], np.float64)
        numbers = [values.mean()] if values.ndim == 0 else [values.mean(), values.std()]
        unit = get_dimensions(defaults[name])
        shown = [in_best_unit(Quantity(each, dim=unit), precision=4) for each in numbers]
        texts.append(f"{name} {' ± '.join(shown)}")
    return texts


def settings(layers: Sequence[PlacedLayer], arrays: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Return the settings of layers, and what they do not take from their models' files.

    One text where all layers agree, else one per layer.
    """
    named: dict[str, dict[str, Any]] = {
        name: {each.name: getattr(each.layer, name, None) for each in layers} for name in _SETTINGS
    }
    if not isinstance(layers[0].layer, LayerBase):  # in a graph, delays are those of projections
        named["delay"] = {each.name: each.delay for placed in layers for each in placed.projections}
    named["parameters"] = {each.name: tuple(own_texts(each, arrays)) or None for each in layers}
    found = {}
    for name, values in named.items():
        texts = {
            layer: ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for layer, value in values.items()
            if value is not None
        }
        same = len(texts) == len(values) and len(set(texts.values())) == 1
        text = next(iter(texts.values()), "") if same else "; ".join(map(": ".join, texts.items()))
        if text:
            found[name] = text
    return found
