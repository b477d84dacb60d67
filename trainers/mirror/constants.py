"""What a population's statements name beside its states: parameters, constants, where it starts.

The values are those that Brian2 is given, computed by NumPy in float64, whatever is trained; what
depends on a trained parameter carries its gradient too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.equations.functions import array_functions
from bioae.equations.program import Program, Statement, compile_statements, names_in
from bioae.equations.stepping import constant_values, initial_state

__all__ = ["Constants", "as_array"]

Values = dict[str, Tensor]


class Constants:
    """The values with which a presentation begins.

    Parameters
    ----------
    program
        The lowered neuron model.
    shape
        The population's shape.
    fixed
        Parameters in base units that are not trained: scalars, or arrays (neuron).
    dt
        The time step in seconds.

    Notes
    -----
    A state that the model lets settle starts from where it settled, as from a constant.
    """

    def __init__(
        self,
        program: Program,
        shape: tuple[int, ...],
        fixed: Mapping[str, NDArray[Any]],
        dt: float,
    ) -> None:
        self._program = program
        self._shape = shape
        self._fixed = dict(fixed)
        self._dt = dt
        self._size = math.prod(shape)
        self._kept: tuple[Any, Values] | None = None

    def __call__(self, trained: Mapping[str, Tensor], like: Tensor) -> Values:
        """Return parameters, constants and initial states by name, (*shape) or without dimensions.

        Parameters
        ----------
        trained
            Trained parameters in base units, as they stand.
        like
            A tensor of the device and type of numbers to be used.
        """
        parameters = {
            name: tensor.detach().cpu().double().numpy() for name, tensor in trained.items()
        }
        key = (like.device, like.dtype, *(array.tobytes() for array in parameters.values()))
        if self._kept is None or self._kept[0] != key:
            self._kept = key, self._values({**self._fixed, **parameters}, like)
        values = dict(self._kept[1])
        if torch.is_grad_enabled():
            self._attach(values, trained)
        return values

    def _values(self, parameters: Mapping[str, NDArray[Any]], like: Tensor) -> Values:
        size: dict[str, Any] = {"dt": self._dt, "n": self._size}
        arrays: dict[str, NDArray[Any]] = {
            "dt": np.asarray(self._dt),
            "N": np.asarray(float(self._size)),
            "i": np.arange(self._size, dtype=np.float64),
            "t": np.asarray(0.0),
            **parameters,
            **constant_values(self._program, parameters, **size),
            **initial_state(self._program, parameters, **size),
        }
        return {name: self._tensor(array, like) for name, array in arrays.items()}

    def _attach(self, values: Values, trained: Mapping[str, Tensor]) -> None:
        """Let gradients reach the trained parameters from all that depends on them."""
        values |= {name: self._in_shape(tensor) for name, tensor in trained.items()}
        learning = set(trained)
        program = self._program
        initial = {} if program.model.settle is not None else program.initial
        fixed = {n: text for n, text in initial.items() if n not in program.random_start}
        for name, text in {**program.constants, **fixed}.items():
            if values[name].is_floating_point() and names_in(text) & learning:
                found = _expression(text, values[name].dtype)(values)
                # Only a refractory neuron may meet a constant such as 1/0, and it ignores it.
                if found.isfinite().all():
                    values[name] = values[name] + (found - found.detach())
                    learning.add(name)

    def _tensor(self, array: NDArray[Any], like: Tensor) -> Tensor:
        dtype = torch.bool if array.dtype == bool else like.dtype
        return self._in_shape(torch.tensor(array, dtype=dtype, device=like.device))

    def _in_shape(self, tensor: Tensor) -> Tensor:
        return tensor if tensor.ndim == 0 else tensor.reshape(self._shape)


def as_array(tensor: Tensor) -> NDArray[np.float64]:
    """Return a tensor's numbers in float64, wherever it lies."""
    return np.asarray(tensor.detach().cpu().double().numpy())


@cache
def _expression(text: str, dtype: torch.dtype) -> Callable[[Values], Tensor]:
    names = tuple(sorted(names_in(text)))
    function = compile_statements(
        [Statement("_value", text)], names, ["_value"], array_functions(torch, dtype)
    )

    def evaluate(values: Values) -> Tensor:
        (found,) = function(*(values[name] for name in names))
        return torch.as_tensor(found, dtype=dtype)

    return evaluate
