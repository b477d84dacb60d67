"""A network changed for a simulation: another neuron, heterogeneity, noise, delays, finer steps."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bioae.equations.declarations import parameter_values
from bioae.equations.library import load_model
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import evaluate, time_in_seconds
from bioae.errors import ModelError, NetworkError
from bioae.networks.background import Background
from bioae.networks.network import Network, PlacedLayer
from bioae.random import stream
from bioae.responses.calibration import Calibration, calibrate

__all__ = [
    "calibration_factors",
    "fitting",
    "in_finer_steps",
    "with_background",
    "with_delay",
    "with_neuron",
    "with_spread",
]


def with_neuron(
    network: Network, neuron: str | Path | NeuronModel, factors: Mapping[str, float]
) -> Network:
    """Return a network with another neuron model in every layer; see `Network.with_neuron`.

    Parameters
    ----------
    network
        The network; its time step must suit the model (`fitting`).
    neuron
        The model.
    factors
        What each layer's unit of weight is multiplied by, by name.
    """
    model = _model(neuron)
    layers = [
        layer.model_copy(
            update={
                "neuron": model.name,
                "parameters": {},
                "weight": _times(factors[layer.name], model.weight),
            }
        )
        for layer in network.config.layers
    ]
    config = network.config.varied(
        layers=tuple(layers),
        neuron=model.name,
        neurons={**network.config.neurons, model.name: model.to_mapping()},
    )
    kept = {name for placed in config.placed for name in placed.array_shapes}
    weights = {name: values for name, values in network.weights.items() if name in kept}
    for before, after in zip(network.config.placed, config.placed, strict=True):
        weights |= _pinned(network, before, after)
    return Network(config, weights)


def calibration_factors(
    network: Network, neuron: str | Path | NeuronModel, by: Calibration
) -> dict[str, float]:
    """Return what a model's unit of weight is worth in each layer, by name.

    Parameters
    ----------
    network
        The network as it was trained.
    neuron
        The model that is to replace those of its layers.
    by
        See `bioae.responses.calibration.calibrate`. It is done with each layer's own parameters,
        as they were trained: their mean where each neuron has its own. Responses last as long as a
        presentation.
    """
    model = _model(neuron)
    config, finer = network.config, fitting(network, model).config
    known: dict[Any, float] = {}
    factors = {}
    for placed in config.placed:
        parameters = {n: float(v.mean()) for n, v in network.parameters(placed).items()}
        key = (placed.model.model_dump_json(), *parameters.items())
        if placed.model.threshold is None:
            known[key] = 1.0  # it never fires, so nothing depends on how fast it would
        if key not in known:
            known[key] = calibrate(
                placed.model,
                model,
                dt=config.dt,
                target_dt=finer.dt,
                by=by,
                duration=f"{config.steps}*({config.dt})",
                schedule=config.schedule,
                source_parameters=parameters,
            )
        factors[placed.name] = known[key]
    return factors


def fitting(network: Network, neuron: str | Path | NeuronModel) -> Network:
    """Return the network in steps that are fine enough for a neuron model."""
    model = _model(neuron)
    if model.dt is None:
        return network
    largest = time_in_seconds(model.dt, where=f"{model.name}.toml, dt", error=ModelError)
    return in_finer_steps(network, math.ceil(network.config.dt_seconds / largest - 1e-9))


def in_finer_steps(network: Network, parts: int) -> Network:
    """Return a network whose steps are cut in parts; presentations last as long as before.

    Each of the finer steps emits as much less of the input, so that a millisecond brings what it
    brought before.
    """
    config = network.config
    if parts <= 1:
        return network
    changed = config.varied(
        dt=f"{config.dt}/{parts}",
        steps=config.steps * parts,
        encoder=config.encoder.in_finer_steps(parts),
    )
    return Network(changed, network.weights)


def with_spread(network: Network, spread: Mapping[str, float], *, seed: int = 0) -> Network:
    """Return a network whose neurons differ in some parameters; see `Network.with_spread`."""
    weights = dict(network.weights)
    for name, variation in spread.items():
        if not 0 <= variation < math.inf:
            raise NetworkError(
                "the coefficient of variation does not fit",
                where=f"spread of {name!r}",
                expected="a number of 0 or more",
                found=str(variation),
            )
        layers = [placed for placed in network.config.placed if name in placed.program.parameters]
        if not layers:
            known = {n for placed in network.config.placed for n in placed.program.parameters}
            raise NetworkError(
                f"no layer's neuron model has a parameter {name!r}",
                expected=f"one of {', '.join(sorted(known)) or 'none'}",
            )
        for placed in layers:
            array = f"{placed.name}.{name}"
            weights[array] = _spread(network, placed, name, variation, seed)
    return Network(network.config, weights)


def with_background(network: Network, background: Background) -> Network:
    """Return a network whose layers receive background input; see `Network.with_background`."""
    return _with_layers(network, background=background)


def with_delay(network: Network, delay: str) -> Network:
    """Return a network whose layers hear each other later; see `Network.with_delay`."""
    return _with_layers(network, delay=delay)


def _with_layers(network: Network, **changes: Any) -> Network:
    layers = tuple(layer.model_copy(update=changes) for layer in network.config.layers)
    config = network.config.varied(layers=layers)
    former = {name for placed in network.config.placed for name in placed.delay_shapes}
    latter = {name for placed in config.placed for name in placed.delay_shapes}
    dropped = former - latter
    return Network(config, {n: v for n, v in network.weights.items() if n not in dropped})


def _model(neuron: str | Path | NeuronModel) -> NeuronModel:
    return neuron if isinstance(neuron, NeuronModel) else load_model(neuron)


def _times(factor: float, weight: str) -> str | None:
    return None if factor == 1.0 else f"{factor!r}*({weight})"


def _pinned(network: Network, before: PlacedLayer, after: PlacedLayer) -> dict[str, NDArray[Any]]:
    """Return the parameters of a read-out that would otherwise change with the neuron."""
    values = network.parameters(before, readout=True)
    new = {
        name: float(value)
        for name, value in parameter_values(after.readout).items()
        if name in values
    }
    return {
        f"{after.name}.readout.{name}": values[name]
        for name, value in new.items()
        if (values[name] != value).any()
    }


def _spread(
    network: Network, placed: PlacedLayer, name: str, variation: float, seed: int
) -> NDArray[np.float64]:
    where = f"layer {placed.name!r}, spread of {name!r}"
    if name in placed.program.common:
        raise NetworkError("all neurons share what depends on this parameter", where=where)
    mean = np.broadcast_to(network.parameters(placed)[name], placed.size)
    if not mean.all():
        raise NetworkError(
            "a parameter of 0 has no relative spread", where=where, expected="another parameter"
        )
    # ln X of mean ln m - s^2/2 and standard deviation s: X has the mean m.
    deviation = math.sqrt(math.log1p(variation**2))
    centre = -(deviation**2) / 2
    low, high = _bounds(placed.model, name, mean)
    key = hashlib.sha256(f"spread {placed.name}.{name}".encode()).digest()
    uniform = stream(seed, int.from_bytes(key[:8], "little")).random(placed.size)
    if deviation == 0:
        return np.array(mean)
    with np.errstate(divide="ignore"):
        first, last = (ndtr((np.log(bound / mean) - centre) / deviation) for bound in (low, high))
    normal = ndtri(first + (last - first) * uniform)
    drawn = mean * np.exp(centre + deviation * normal)
    return np.asarray(np.clip(drawn, np.minimum(low, high), np.maximum(low, high)))


def _bounds(
    model: NeuronModel, name: str, mean: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bounds of the sign of the mean, the one nearer to 0 first; never beyond the mean."""
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
