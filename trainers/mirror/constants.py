"""Parameters, constants and initial states of a population, as its statements name them.

The values are those that Brian2 receives, computed by NumPy in float64; those that depend on a
trained parameter also carry its gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.start import Start, settle
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.expressions import Expression
from bioae.noise import settling_noise
from bioae.trainers.mirror.functions import torch_functions
from bioae.trainers.mirror.population import Population
from bioae.trainers.mirror.trained import TrainedParameter

Values = dict[str, Tensor]


class Constants:
    """The values at the start of a presentation.

    `fixed` are the parameters in base units that are not trained: scalars, or arrays (neuron). If
    the model settles, the gradient reaches trained parameters through the whole settling run, which
    is repeated in PyTorch for each presentation with gradients.
    """

    def __init__(self, population: Population, fixed: Mapping[str, NDArray[Any]]) -> None:
        self._population, self._fixed = population, dict(fixed)
        self._program, size = population.program, population.size
        self._noise = settling_noise(self._program.draws, population=population.number, n=size)
        self._start = Start(self._program, population.dt, size)
        self._cached: tuple[Any, Values] | None = None

    def __call__(self, trained: Mapping[str, TrainedParameter], like: Tensor) -> Values:
        """Return parameters, constants and initial states by name, (*shape) or without dimensions.

        They have the device and type of `like`.
        """
        parameters = {name: each.values() for name, each in trained.items()}
        key = (like.device, like.dtype, *(array.tobytes() for array in parameters.values()))
        if self._cached is None or self._cached[0] != key:
            self._cached = key, self._values({**self._fixed, **parameters}, like)
        values = dict(self._cached[1])
        if torch.is_grad_enabled():
            self._attach(values, trained, parameters)
        return values

    def _values(self, parameters: Mapping[str, NDArray[Any]], like: Tensor) -> Values:
        arrays = self._start.environment(parameters)
        arrays |= self._start.state(parameters, noise=self._noise)
        # They are kept for calls with gradients, too.
        with torch.inference_mode(mode=False):
            return {name: self._tensor(array, like) for name, array in arrays.items()}

    def _attach(
        self,
        values: Values,
        trained: Mapping[str, TrainedParameter],
        parameters: Mapping[str, NDArray[Any]],
    ) -> None:
        """Attach the trained parameters to every value that depends on them."""
        for name, each in trained.items():
            values[name] = self._in_shape(each.attached(values[name].reshape(each.raw.shape)))
        learning = set(trained)
        self._attach_expressions(values, self._program.constants, learning)
        if self._program.model.settle is not None:
            self._attach_settled(values, {**self._fixed, **parameters}, learning)
        else:
            self._attach_expressions(values, self._program.initial, learning)

    def _attach_expressions(
        self, values: Values, expressions: Mapping[str, Expression], learning: set[str]
    ) -> None:
        for name, expression in expressions.items():
            if name in self._program.random_start or not values[name].is_floating_point():
                continue
            if expression.names & learning:
                value = _compiled(expression, values[name].dtype)(values)
                # Only a refractory neuron may meet a constant such as 1/0, and it ignores it.
                if value.isfinite().all():
                    values[name] = values[name] + (value - value.detach())
                    learning.add(name)

    def _attach_settled(
        self, values: Values, parameters: Mapping[str, NDArray[Any]], learning: set[str]
    ) -> None:
        if not learning:
            return
        program, like = self._program, values["dt"]

        def noise(step: int) -> Values:
            drawn = self._noise(step)
            # A shared draw is one number.
            return {
                name: self._tensor(array if array.size > 1 else array.reshape(()), like)
                for name, array in drawn.items()
            }

        start = self._start.state(parameters, noise=self._noise, settled=False)
        run = {**values, **noise(0)}
        run |= {name: self._tensor(array, like) for name, array in start.items()}
        self._attach_expressions(run, program.initial, {*learning})
        stepper = Stepper(program, torch_functions(like.dtype))
        settle(stepper, run, dt=self._population.dt, noise=noise)
        for name in start:
            if run[name].requires_grad:
                values[name] = values[name] + (run[name] - run[name].detach())

    def _tensor(self, array: NDArray[Any], like: Tensor) -> Tensor:
        dtype = torch.bool if array.dtype == bool else like.dtype
        return self._in_shape(torch.tensor(array, dtype=dtype, device=like.device))

    def _in_shape(self, tensor: Tensor) -> Tensor:
        return tensor if tensor.ndim == 0 else tensor.reshape(self._population.shape)


@cache
def _compiled(expression: Expression, dtype: torch.dtype) -> Callable[[Values], Tensor]:
    function = compile_expression(expression, torch_functions(dtype))
    return lambda values: torch.as_tensor(function(values), dtype=dtype)
