"""Other time steps: the same presentations, signals and input per millisecond in other steps."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, cast

from numpy.typing import NDArray

from bioae.equations.expressions import Expression
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.networks.layers import Layer
from bioae.networks.placed_layer import PlacedLayer

__all__ = ["in_other_steps", "parts_of_step"]

#: The rounding error of the steps of a point.
_ROUNDING = 1e-6


def parts_of_step(config: NetworkConfig, dt: float) -> Fraction:
    """Return the number of steps of `dt` seconds that take the place of one step of a network.

    It is 1 where nothing that the network is given varies in time: its steps are numbers, and not
    times.

    Raises
    ------
    NetworkError
        If a point in time would not last a whole number of steps.
    """
    point = config.point_steps
    if not point:
        return Fraction(1)
    steps = point * config.dt_seconds / dt
    if not round(steps) or abs(steps - round(steps)) > _ROUNDING * steps:
        milliseconds = point * config.dt_seconds * 1e3
        raise NetworkError(
            "the time step does not fit the points in time",
            where="dt",
            expected=f"{milliseconds:g} ms, which each point lasts, divided by a whole number",
            found=f"{dt * 1e3:g} ms",
        )
    return Fraction(round(steps), point)


def in_other_steps(
    config: NetworkConfig, weights: Mapping[str, NDArray[Any]], parts: Fraction, *, dt: str
) -> tuple[NetworkConfig, Mapping[str, NDArray[Any]]]:
    """Return a network's description and weights with steps of `dt`, `parts` in place of each one.

    Presentations and points in time last as long as before, and the input per millisecond stays the
    same.

    Parameters
    ----------
    config, weights
        The network.
    parts
        The number of new steps per step: a fraction below 1 for longer steps, by which all numbers
        of steps are divisible.
    dt
        The new time step.

    Raises
    ------
    NetworkError
        If a layer cannot receive the same in such steps, the encoder cannot emit it, or the
        presentation has too many.
    """
    if parts == 1:
        return config, weights
    changed = config.varied(
        layers=tuple(_layer(placed, parts) for placed in config.placed),
        dt=dt,
        steps=int(config.steps * parts),
        encoder=config.encoder.in_finer_steps(parts),
        decoder=config.decoder.in_finer_steps(parts, default_scale=config.default_scale),
        task=config.task.in_finer_steps(parts),
    )
    biases = {name for placed in config.placed for name in placed.bias_shapes}
    return changed, {n: w / float(parts) if n in biases else w for n, w in weights.items()}


def _layer(placed: PlacedLayer, parts: Fraction) -> Layer:
    """Return a layer whose spikes add as much in steps of another length."""
    named = ["dt" in Expression(amount).names for amount in placed.model.received.values()]
    layer = cast("Layer", placed.layer)
    if not any(named):
        return layer
    if not all(named):
        raise NetworkError(
            "some of the inputs of a neuron model depend on dt and others do not",
            where=f"layer {placed.name!r}",
            hint="Write dt in all amounts of `weight` and `inputs`, or in none",
        )
    return layer.model_copy(update={"weight": f"{parts}*({placed.model.weight})"})
