"""The loss of free parameters on a recording, with its gradient and information."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.equations.arrays.start import default_parameters
from bioae.equations.lowering.lowering import lower
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import time_in_seconds
from bioae.trainers.fitting.kernel import DrivenKernel
from bioae.trainers.fitting.source import Request
from bioae.trainers.fitting.terms import (
    CORRECTION,
    COUPLING,
    GAIN,
    LATENCY,
    OFFSET,
    SCALE,
    WIDTH,
    Drive,
    Floats,
    FreeParameter,
    Losses,
)  # fmt: skip
from bioae.trainers.mirror.constants import Constants
from bioae.trainers.mirror.derivatives import FastSigmoid
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.neuron import NeuronMirror
from bioae.trainers.mirror.population import Population
from bioae.trainers.mirror.trained import Scale, TrainedParameter


class CompiledObjective:
    """The loss of free parameters on a recording.

    `model`: the driven neuron model, whose `trainable` has the bounds of its free parameters.
    `free`, `fixed`: the free parameters, of the model and those of `bioae.trainers.fitting.terms`;
        and the values of the latter that are not free.
    `potential`: the variable that is compared with the recorded voltage.
    `weights`: of the spikes' and of the voltage's loss.
    `voltage_noise`: the standard deviation of the voltage's noise, in base units.
    `lapse`: the probability that an interval between recorded spikes is one at random.
    """

    def __init__(
        self,
        model: NeuronModel,
        free: Sequence[FreeParameter],
        drive: Drive,
        *,
        potential: str,
        fixed: Mapping[str, float],
        weights: tuple[float, float] = (1.0, 1.0),
        voltage_noise: float = 1e-3,
        lapse: float = 0.0,
    ) -> None:
        self.free, self.drive, self.lapse = tuple(free), drive, lapse
        self._settle = 0
        if model.settle is not None:
            where = f"{model.name}.toml, [initial] settle"
            self._settle = round(time_in_seconds(model.settle, where=where) / drive.dt)
            model = model.model_copy(update={"initial": model.initial_state})
        self.model, self._weights = model, weights
        self._potential = potential
        scale = np.sqrt(weights[1]) / voltage_noise
        self.fixed: dict[str, Any] = {SCALE: scale, COUPLING: 0.0, CORRECTION: 0.0, **fixed}
        self._program = lower(model)
        self._own = [each for each in self.free if each.name in self._program.parameters]
        self._defaults = default_parameters(self._program)
        self._constants = cache(self._constants_of)

    def __call__(self, u: Floats, *, coupling: float = 0.0) -> Losses:
        """Return the losses of sets of parameters, each from 0 to 1 (set, parameter).

        `coupling` is the rate per ms at which the potential is pulled to the recorded one.
        """
        values, slopes = self._values(u)
        values[COUPLING] = np.full(len(u), -np.expm1(-1e3 * coupling * self.drive.dt))
        with np.errstate(all="ignore"):
            losses = self.kernel.sums(
                self.drive, values, slopes, settle=self._settle, weights=self._weights,
                lapse=self.lapse,
            )  # fmt: skip
        for k, each in enumerate(self.free):
            # The prior: without noise in the spikes, their likelihood has its maximum at 0.
            if each.name == WIDTH and self.drive.spikes is not None:
                losses.total[:] -= self._weights[0] * np.log(values[WIDTH])
                losses.gradient[:, k] -= self._weights[0] * slopes[WIDTH, WIDTH] / values[WIDTH]
        return losses

    def without_lapses(self) -> CompiledObjective:
        """Return the same objective in which all intervals are the neuron's."""
        other = copy.copy(self)
        other.lapse = 0.0
        return other

    def with_noise(self, voltage_noise: float) -> CompiledObjective:
        """Return the same objective for another standard deviation of the voltage's noise."""
        return self._with(SCALE, np.sqrt(self._weights[1]) / voltage_noise)

    def with_correction(self, gain: Floats) -> CompiledObjective:
        """Return the same objective with a Kalman gain for each set, if it is not free."""
        return self._with(CORRECTION, gain)

    def _with(self, name: str, value: Any) -> CompiledObjective:
        other = copy.copy(self)
        other.fixed = {**self.fixed, name: value}
        return other

    def predict(self, u: Floats, drive: Drive | None = None) -> tuple[NDArray[np.bool_], Floats]:
        """Return the spikes and the potential of the freely running neuron (set, trial, time)."""
        values, _ = self._values(u, derive=False)
        drive = drive or self.drive
        return self._free_kernel.records(drive, values, settle=self._settle)

    @cached_property
    def kernel(self) -> DrivenKernel:
        """The compiled losses and sensitivities."""
        return self._compile(fits=True)

    @cached_property
    def _free_kernel(self) -> DrivenKernel:
        return self._compile(fits=False)

    def _compile(self, *, fits: bool) -> DrivenKernel:
        middle = np.full((1, len(self.free)), 0.5)
        _, slopes = self._values(middle)
        names = {each.name for each in self.free}
        scaled = bool({GAIN, OFFSET} & {*names, *self.fixed})
        request = Request(
            parameters=tuple(each.name for each in self.free) if fits else (),
            dependent=frozenset(slopes) if fits else frozenset(),
            spikes=fits and self.drive.spikes is not None,
            voltage=fits and self.drive.voltage is not None and self._weights[1] > 0,
            potential=self._potential,
            scaled=scaled,
            late=LATENCY in {*names, *self.fixed},
        )
        return DrivenKernel(self._mirror(1), self._constants(1)({}, self._anchor), request)

    def _mirror(self, size: int) -> NeuronMirror:
        population = Population(self._program, (size,), dt=self.drive.dt)
        backward = Backward(FastSigmoid(), detach_reset=True)
        return NeuronMirror(population, self._defaults, backward, dtype=torch.float64)

    def _constants_of(self, size: int) -> Constants:
        population = Population(self._program, (size,), dt=self.drive.dt)
        names = {each.name for each in self._own}
        fixed = {n: value for n, value in self._defaults.items() if n not in names}
        return Constants(population, fixed)

    @property
    def _anchor(self) -> Tensor:
        return torch.zeros((), dtype=torch.float64)

    def _values(
        self, u: Floats, *, derive: bool = True
    ) -> tuple[dict[str, Floats], dict[tuple[str, str], Floats]]:
        """Return the values of each name, and their derivatives with respect to each u (set).

        Without `derive`, the derivatives of the model's values are left out.
        """
        size = len(u)
        at = {each.name: each.value(u[:, k]) for k, each in enumerate(self.free)}
        moved = {each.name: each.slope(u[:, k]) for k, each in enumerate(self.free)}
        trained = {
            each.name: TrainedParameter(
                Scale(at[each.name], each.low, each.high, unit=1.0, logarithmic=False),
                torch.float64,
            )
            for each in self._own
        }
        with torch.set_grad_enabled(derive):
            tensors = self._constants(size)(trained, self._anchor)
        raw = [each.raw for each in trained.values()]
        slopes: dict[tuple[str, str], Floats] = {}
        for name, tensor in tensors.items():
            if not tensor.requires_grad:
                continue
            found = torch.autograd.grad(tensor.sum(), raw, retain_graph=True, allow_unused=True)
            for other, gradient in zip(trained, found, strict=True):
                if gradient is not None:
                    slopes[name, other] = gradient.numpy() * moved[other]
        values: dict[str, Any] = {n: _whole(each.detach(), size) for n, each in tensors.items()}
        values |= {name: np.full(size, value) for name, value in self.fixed.items()}
        for each in self.free:
            if each.name not in trained:
                values[each.name] = at[each.name]
                slopes[each.name, each.name] = moved[each.name]
        if LATENCY in values:  # in steps
            values[LATENCY] = values[LATENCY] / self.drive.dt
        if (LATENCY, LATENCY) in slopes:
            slopes[LATENCY, LATENCY] = slopes[LATENCY, LATENCY] / self.drive.dt
        return values, slopes


def _whole(tensor: Tensor, size: int) -> Floats:
    return np.broadcast_to(tensor.double().numpy(), (size,))
