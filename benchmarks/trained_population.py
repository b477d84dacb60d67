"""A population whose parameters are fitted to spikes, by maximum likelihood.

Source: Paninski, Pillow & Simoncelli 2004, Neural Computation 16:2533.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from bioae.equations.arrays.start import default_parameters
from bioae.equations.declarations import parameter_values
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import evaluate, time_in_seconds
from bioae.errors import InputError, ModelError
from bioae.noise import Key
from bioae.random import stream
from bioae.trainers.fitting import ForcedNeuron
from bioae.trainers.mirror.connections.pathways import Arrived
from bioae.trainers.mirror.derivatives import FastSigmoid
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.neuron import NeuronMirror
from bioae.trainers.mirror.population import Population
from bioae.trainers.mirror.trained import TrainedParameter

_ITERATIONS = 40

# If the final fit does not explain the spikes, training restarts, a tenth from the start.
_ATTEMPTS = 6
_NEARBY = 0.1

#: Parameters by name, in base units.
Parameters: TypeAlias = dict[str, NDArray[Any]]


class TrainedPopulation:
    """A population of a model with trained parameters, each measured from an origin."""

    def __init__(
        self,
        model: NeuronModel,
        parameters: Sequence[str],
        *,
        dt: str,
        neurons: int,
        origins: Mapping[str, str],
    ) -> None:
        unknown = [name for name in parameters if name not in model.trainable]
        if unknown or not parameters:
            raise InputError(
                f"{unknown[0]!r} cannot be trained" if unknown else "no parameter is to be trained",
                where=f"{model.name}.toml, [trainable]",
                expected=f"one of {', '.join(model.trainable) or 'none: it has no such table'}",
            )
        stray = next((name for name in origins if name not in parameters), None)
        if stray is not None:
            raise InputError(
                f"{stray!r} has an origin, and is not trained",
                where="origins",
                expected=f"one of {', '.join(parameters)}",
            )
        if model.threshold is None:
            raise ModelError("the model never fires", where=f"{model.name}.toml, threshold")
        self.program = lower(model)
        self.names = tuple(parameters)
        self.dt = time_in_seconds(dt, where="dt")
        self._population = Population(self.program, (neurons,), self.dt)
        self._backward = Backward(FastSigmoid())
        values = parameter_values(model)
        where = f"{model.name}.toml"
        self.origins = {
            name: float(evaluate(origins[name], values, dimensions_of=values[name], where=where))
            if name in origins
            else 0.0
            for name in parameters
        }

    def place(self, factor: float) -> tuple[Parameters, Parameters]:
        """Return the true and the initial parameters, both within the bounds."""
        true, start = default_parameters(self.program), default_parameters(self.program)
        trained = self.forced(true).trained
        for name in self.names:
            origin = self.origins[name]
            low, high = (
                end - origin for end in (trained[name].scale.low, trained[name].scale.high)
            )
            ends = sorted((low / factor, high / factor))
            lowest, highest = max(low, ends[0]), min(high, ends[1])
            if lowest > highest:
                raise InputError(
                    f"the bounds of {name!r} are narrower than the factor",
                    where=f"{self.program.model.name}.toml, [trainable]",
                    expected=f"a factor of {factor:g} between them",
                )
            distance = float(np.clip(true[name] - origin, lowest, highest))
            if distance == 0:
                raise InputError(
                    f"the value of {name!r} is its origin, from which no error can be measured",
                    where="origins",
                    expected="another value",
                    found=f"{origin:g}",
                )
            true[name] = np.asarray(origin + distance)
            start[name] = np.asarray(origin + factor * distance)
        return true, start

    def free(self, values: Parameters) -> NeuronMirror:
        """Return a population that runs freely."""
        return NeuronMirror(self._population, values, self._backward, dtype=torch.float64)

    def forced(self, values: Parameters) -> ForcedNeuron:
        """Return a teacher-forced population with trained parameters."""
        trained = {
            name: TrainedParameter(self.program.model, name, values[name], torch.float64)
            for name in self.names
        }
        parameters = {**values, **trained}
        return ForcedNeuron(self._population, parameters, self._backward, dtype=torch.float64)

    def descend(
        self,
        start: Parameters,
        arriving: Sequence[Arrived | None],
        spikes: Tensor,
        widths: Sequence[float],
        key: Key,
        *,
        report: Callable[[int], None],
    ) -> tuple[Parameters, int]:
        """Return the fitted parameters, and the number of gradients computed.

        `report` is called after each width; a further attempt starts again.
        """
        neuron = self.forced(start)
        trained = list(neuron.trained.values())
        ends = (each.scale.bounds for each in trained)
        bounds = [(float(low), float(high)) for low, high in ends]
        evaluations = 0

        def loss(point: NDArray[np.float64], width: float) -> tuple[float, NDArray[np.float64]]:
            nonlocal evaluations
            evaluations += 1
            _move(trained, point)
            neuron.zero_grad()
            value = neuron.negative_log_likelihood(arriving, spikes, width=width, key=key)
            value.backward()  # type: ignore[no-untyped-call]
            return value.item(), np.array([_gradient(parameter.raw) for parameter in trained])

        best: tuple[float, NDArray[np.float64]] | None = None
        for attempt in range(_ATTEMPTS):
            jitter = stream(key.seed, 1 + attempt).normal(0.0, _NEARBY, len(trained))
            point = np.clip(jitter if attempt else 0.0 * jitter, *np.transpose(bounds))
            losses = []
            for width in widths:
                point, value = _minimise(partial(loss, width=width), point, bounds)
                losses.append(value)
                report(len(losses))
            if best is None or losses[-1] < best[0]:
                best = losses[-1], point
            # With narrower noise, spikes become more likely only if the parameters explain them.
            if losses == sorted(losses, reverse=True):
                break
        assert best is not None
        _move(trained, best[1])
        fitted = {name: parameter.values() for name, parameter in neuron.trained.items()}
        return {**start, **fitted}, evaluations


def _minimise(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]],
    start: NDArray[np.float64],
    bounds: Sequence[tuple[float, float]],
) -> tuple[NDArray[np.float64], float]:
    options: Any = {"maxiter": _ITERATIONS}
    result = minimize(loss, start, method="L-BFGS-B", jac=True, bounds=bounds, options=options)
    return np.asarray(result.x), float(result.fun)


def _move(trained: Sequence[TrainedParameter], point: NDArray[np.float64]) -> None:
    for parameter, u in zip(trained, point, strict=True):
        parameter.raw.data.fill_(u)


def _gradient(parameter: Tensor) -> float:
    return 0.0 if parameter.grad is None else parameter.grad.item()
