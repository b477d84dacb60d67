"""Initial values of a layer's arrays: weights, and parameters that differ between neurons."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.errors import ModelError, NetworkError
from bioae.networks.inputs import draw_delays, spread_ends
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.projections import SIGNS, PlacedProjection
from bioae.networks.structure import random_connections
from bioae.random import named_stream, stream

Values = NDArray[np.float64]

#: Delays are drawn from streams of random numbers that weights do not use.
_DELAY_STREAMS = 2**40


def initial_arrays(placed: PlacedLayer, seed: int, *, dt: float) -> dict[str, Values]:
    """Draw the initial arrays of a layer; each has a separate stream of random numbers.

    Biases are 0. Where a rule exchanges connections, those that exist are drawn too.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for projection in (each for each in placed.projections if each.fixed is None):
        name, number, shape = projection.name, projection.number, projection.weight_shape
        fan_in = placed.structure(name).fan_in if name in placed.connections else None
        arrays[name] = draw_weights(projection, stream(seed, number), fan_in=fan_in)
        arrays.update(_draw_synapses(projection, seed))
        delay, where = projection.delay, f"layer {placed.name!r}"
        if isinstance(delay, tuple):
            generator = stream(seed, _DELAY_STREAMS + number)
            arrays[f"{name}_delay"] = draw_delays(delay, shape, generator, dt=dt, where=where)
        if name in placed.connections:
            connected = _draw_connections(placed, name, seed)
            arrays[placed.connections[name]] = connected.astype(np.float64)
            arrays[name] = np.where(connected, arrays[name], 0.0)
    arrays |= placed.random_parameters(seed)
    arrays |= {name: np.zeros(shape) for name, shape in placed.bias_shapes.items()}
    return arrays | _draw_spread(placed, seed)


def draw_weights(
    projection: PlacedProjection, generator: Generator, *, fan_in: int | None = None
) -> Values:
    """Draw the initial weights of a projection.

    Without autapses, the diagonal is 0. `fan_in` are the sources of each target; None: those of the
    projection.
    """
    shape, initial, gain = projection.weight_shape, projection.initial, projection.gain
    if isinstance(initial, tuple):
        weights = generator.uniform(*initial, shape)
    elif isinstance(initial, int | float):
        weights = np.full(shape, float(initial))
    elif initial == "orthogonal":
        weights = gain * orthogonal(shape, generator)
    else:
        weights = generator.normal(
            0.0, gain * math.sqrt(2.0 / (fan_in or projection.fan_in)), shape
        )
    if not (projection.autapses or projection.layer.listed):
        np.fill_diagonal(weights, 0.0)
    if projection.sign is not None:
        weights = SIGNS[projection.sign] * np.abs(weights)
    return weights


def _draw_synapses(projection: PlacedProjection, seed: int) -> dict[str, NDArray[Any]]:
    """Return random synapses that a network lists, sorted: different pairs of neurons."""
    if not projection.index_shapes:
        return {}
    rng, targets = named_stream(seed, "connections", projection.name), math.prod(projection.shape)
    sources, (count,) = math.prod(projection.source_shape), projection.weight_shape
    others = sources - (not projection.autapses)
    if count > others * targets:
        raise NetworkError(
            "there are fewer pairs of neurons than synapses",
            where=f"projection {projection.name!r}", found=f"{count:,}",
            expected=f"at most {others * targets:,}",
        )  # fmt: skip
    each = getattr(projection.layer, "indegree", None)
    if each is None:
        chosen = np.sort(rng.choice(others * targets, count, replace=False, shuffle=False))
    else:
        own = (np.sort(rng.choice(others, each, replace=False)) for _ in range(targets))
        chosen = np.concatenate([n * others + sources for n, sources in enumerate(own)])
    target, source = np.divmod(chosen, others)
    if not projection.autapses:
        source = source + (source >= target)
    names = projection.index_shapes
    return dict(zip(names, (source.astype(np.int32), target.astype(np.int32)), strict=True))


def orthogonal(shape: tuple[int, ...], generator: Generator) -> Values:
    """Draw a matrix of the first axis and the others, with orthonormal rows or columns.

    Uniformly distributed (Saxe, McClelland & Ganguli 2014, arXiv:1312.6120; the signs as in
    Mezzadri 2007, Notices of the AMS 54:592).
    """
    rows, columns = shape[0], math.prod(shape[1:])
    normal = generator.normal(size=(max(rows, columns), min(rows, columns)))
    factor, triangular = np.linalg.qr(normal)
    factor *= np.where(triangular.diagonal() < 0, -1.0, 1.0)
    return np.ascontiguousarray(factor if rows >= columns else factor.T).reshape(shape)


def _draw_connections(placed: PlacedLayer, name: str, seed: int) -> NDArray[np.bool_]:
    """Return random connections of some weights (target, source)."""
    possible = placed.potential_connections(name)
    rng = named_stream(seed, "connections", name)
    drawn = random_connections(
        len(possible), int(possible[0].sum()), placed.structure(name).fan_in, rng
    )
    connected = np.zeros_like(possible)
    connected[possible] = drawn.ravel()
    return connected


def _draw_spread(placed: PlacedLayer, seed: int) -> dict[str, Values]:
    """Draw the parameters (neuron) that a layer's `spread` names, by ``LAYER.PARAMETER``."""
    from bioae.equations.arrays.start import default_parameters

    drawn = {}
    for name, spread in placed.layer.spread.items():
        array, where = f"{placed.name}.{name}", f"layer {placed.name!r}"
        if isinstance(spread, tuple):
            _check_separate(placed, name, where)
            low, high = spread_ends(placed.model, name, spread, where=where)
            uniform = _uniform(f"initial {array}", seed, placed.size)
            drawn[array] = low + (high - low) * uniform
        else:
            mean = default_parameters(placed.program)[name]
            drawn[array] = draw_parameters(
                placed, name, mean, spread, key=f"initial {array}", seed=seed
            )
    return drawn


def draw_parameters(
    placed: PlacedLayer, name: str, mean: Any, variation: float, *, key: str, seed: int
) -> Values:
    """Draw a parameter of each neuron of a layer from a truncated log-normal distribution.

    Values (neuron) are in base units, within the bounds of the model's ``[trainable]``, else of the
    sign of the mean; they depend on `key` and `seed` alone.

    `placed`, `name`: the layer and the parameter; `mean`, `variation`: its mean, a number or an
    array (neuron), and its coefficient of variation.
    """
    from scipy.special import ndtr, ndtri

    where = f"layer {placed.name!r}, spread of {name!r}"
    _check_separate(placed, name, where)
    mean = np.broadcast_to(mean, placed.size)
    if not mean.all():
        raise NetworkError(
            "a parameter of 0 has no relative spread", where=where, expected="another parameter"
        )
    # ln X of mean ln m - s^2/2 and standard deviation s: X has the mean m.
    deviation = math.sqrt(math.log1p(variation**2))
    if deviation == 0:
        return np.array(mean)
    centre = -(deviation**2) / 2
    low, high = _bounds(placed.model, name, mean)
    with np.errstate(divide="ignore"):
        first, last = ndtr((np.log(np.stack([low, high]) / mean) - centre) / deviation)
    normal = ndtri(first + (last - first) * _uniform(key, seed, placed.size))
    drawn = mean * np.exp(centre + deviation * normal)
    return np.asarray(np.clip(drawn, np.minimum(low, high), np.maximum(low, high)))


def _uniform(key: str, seed: int, size: int) -> Values:
    digest = hashlib.sha256(key.encode()).digest()
    return stream(seed, int.from_bytes(digest[:8], "little")).random(size)


def _check_separate(placed: PlacedLayer, name: str, where: str) -> None:
    if name in placed.program.common:
        raise NetworkError("variables that all neurons share depend on this parameter", where=where)


def _bounds(model: NeuronModel, name: str, mean: Values) -> tuple[Values, Values]:
    """Return bounds of the sign of the mean, the one nearer to 0 first; never beyond the mean."""
    from bioae.equations.quantities import evaluate

    low, high = np.zeros_like(mean), np.sign(mean) * np.inf
    if name in model.trainable:
        where = f"{model.name}.toml, [trainable] {name}"
        ends = [
            float(evaluate(text, where=where, error=ModelError)) for text in model.trainable[name]
        ]
        small, large = np.sort(np.where(np.sign(ends) == np.sign(mean[:, None]), ends, 0), axis=1).T
        near, far = np.where(mean > 0, (small, large), (large, small))
        low = np.where(np.abs(near) <= np.abs(mean), near, mean)
        high = np.where(np.abs(far) >= np.abs(mean), far, mean)
    return low, high
