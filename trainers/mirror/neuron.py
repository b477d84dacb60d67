"""A population in PyTorch: a program's states, parameters and constants, stepped through time."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.equations.functions import array_functions
from bioae.equations.program import Program
from bioae.equations.quantities import evaluate
from bioae.equations.stepping import Stepper, constant_values, initial_state
from bioae.errors import ModelError
from bioae.schedule import Schedule
from bioae.trainers.derivatives import SpikeDerivative, spike
from bioae.trainers.mirror.gradients import torch_stepper

__all__ = ["NeuronMirror", "Run"]

Recurrence = Callable[[Tensor], Tensor]
Values = dict[str, Tensor]


class Run(NamedTuple):
    """What a population did in a presentation.

    Attributes
    ----------
    recorded
        By name, an array (time, example, ...).
    arrived
        The sums of weights that arrived at each step of the period, its own among them.
    """

    recorded: dict[str, Tensor]
    arrived: list[Tensor | None]


class NeuronMirror(nn.Module):
    """A population of one neuron model.

    Parameters
    ----------
    program
        The lowered neuron model.
    shape
        The population's shape.
    parameters
        Parameters in base units: scalars, or arrays (neuron).
    dt
        The time step in seconds.
    schedule
        The order of things within a step.
    derivative
        What the derivative of a spike is taken to be.
    trainable
        Parameters that are to be trained, of those that the model allows.
    dtype
        The type of numbers.
    """

    def __init__(
        self,
        program: Program,
        shape: tuple[int, ...],
        parameters: Mapping[str, NDArray[Any]],
        *,
        dt: float,
        schedule: Schedule,
        derivative: SpikeDerivative,
        trainable: Collection[str] = (),
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.program = program
        self.shape = shape
        self.schedule = schedule
        self.derivative = derivative
        self._dt = dt
        self._dtype = dtype
        self._stepper = torch_stepper(program, derivative, dtype)
        self.trained = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor(np.asarray(values), dtype=dtype))
                for name, values in parameters.items()
                if name in trainable
            }
        )
        self._fixed = {n: np.asarray(v) for n, v in parameters.items() if n not in self.trained}
        self._size = math.prod(shape)
        self.register_buffer("_anchor", torch.zeros((), dtype=dtype), persistent=False)

    def parameter_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the parameters in base units, trained ones as they stand."""
        trained = {n: p.detach().cpu().double().numpy() for n, p in self.trained.items()}
        return {**self._fixed, **trained}

    @torch.no_grad()
    def clamp_(self) -> None:
        """Move trained parameters back into the bounds that the model gives them."""
        for name, values in self.trained.items():
            low, high = (
                float(evaluate(bound, where=f"[trainable] {name}", error=ModelError))
                for bound in self.program.model.trainable[name]
            )
            values.clamp_(low, high)

    def start(self, batch: int) -> Values:
        """Return everything that statements name, at the start of a presentation.

        Parameters
        ----------
        batch
            Examples that are presented at once.
        """
        values = self._constants()
        for name, array in self._initial().items():
            state = self._tensor(array)
            values[name] = state if state.ndim == 0 else state.expand(batch, *self.shape)
        values["_fired"] = torch.zeros((batch, *self.shape), dtype=torch.bool, device=self._device)
        values["_spike"] = values["_fired"].to(self._dtype)
        return values

    def forward(
        self,
        arriving: Sequence[Tensor | None],
        *,
        recurrence: Recurrence | None = None,
        record: Collection[str] = (),
    ) -> Run:
        """Run a presentation.

        Parameters
        ----------
        arriving
            For each step of a period, the sums of weights that arrive from other layers
            (example, ...); None where nothing can arrive.
        recurrence
            Returns what the population sends itself, from its spikes (example, ...).
        record
            States to record at the end of each step; ``_spike`` are the spikes.
        """
        present = next(tensor for tensor in arriving if tensor is not None)
        values = self.start(len(present))
        lead_in = self.schedule.lead_in
        steps = range(-lead_in, len(arriving) - lead_in)
        clock = torch.tensor(list(steps), dtype=self._dtype, device=self._device) * self._dt
        recorded: dict[str, list[Tensor]] = {name: [] for name in record}
        arrived: list[Tensor | None] = []
        for step, time, tensor in zip(steps, clock.unbind(0), arriving, strict=True):
            values["t"] = time
            arrived.append(self.step(values, tensor, recurrence))
            if step >= 0:
                for name, kept in recorded.items():
                    kept.append(values[name])
        return Run({name: torch.stack(kept) for name, kept in recorded.items()}, arrived)

    def step(
        self, values: Values, arriving: Tensor | None, recurrence: Recurrence | None = None
    ) -> Tensor | None:
        """Run one step on `values`, in the order of the schedule; return all that arrived."""
        self._stepper.prepare(values)
        for slot in self.schedule.blocks:
            match slot:
                case "groups":
                    self._stepper.update(values)
                case "thresholds":
                    self._threshold(values)
                case "resets":
                    self._stepper.reset(values)
                case _:
                    arriving = self._receive(values, arriving, recurrence)
        return arriving

    def _receive(
        self, values: Values, arriving: Tensor | None, recurrence: Recurrence | None
    ) -> Tensor | None:
        if recurrence is not None:
            sent = recurrence(values["_spike"])
            arriving = sent if arriving is None else arriving + sent
        if arriving is not None:
            values["bioae_input"] = arriving
            self._stepper.receive(values)
        return arriving

    def _threshold(self, values: Values) -> None:
        fired = self._stepper.condition(values)
        if fired is None:
            return
        distance = self._stepper.distance(values)
        if self.program.refractory:
            # Nothing that moves a refractory neuron's distance can make it fire.
            distance = torch.where(values["not_refractory"], distance, distance.detach())
        values["_fired"] = fired
        values["_spike"] = spike(fired, distance, self._stepper.scale(values), self.derivative)
        self._stepper.on_spike(values)

    def _constants(self) -> Values:
        values: Values = {
            "dt": torch.tensor(self._dt, dtype=self._dtype, device=self._device),
            "N": torch.tensor(float(self._size), dtype=self._dtype, device=self._device),
            "i": self._tensor(np.arange(self._size, dtype=np.float64)),
            "t": torch.tensor(0.0, dtype=self._dtype, device=self._device),
        }
        values |= {name: self._tensor(array) for name, array in self._fixed.items()}
        values |= {name: self._in_shape(tensor) for name, tensor in self.trained.items()}
        arrays = constant_values(
            self.program, self.parameter_arrays(), dt=self._dt, n=self._size
        )
        learning = self.trained.keys() if torch.is_grad_enabled() else set()
        functions = array_functions(torch, self._dtype)
        for name, text in self.program.constants.items():
            if self.program.dependents[name] & learning:
                values[name] = Stepper._expression(text, functions)(values)
            else:
                values[name] = self._tensor(arrays[name])
        return values

    def _initial(self) -> Mapping[str, NDArray[Any]]:
        return initial_state(self.program, self.parameter_arrays(), dt=self._dt, n=self._size)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        dtype = torch.bool if array.dtype == bool else self._dtype
        return self._in_shape(torch.tensor(array, dtype=dtype, device=self._device))

    def _in_shape(self, tensor: Tensor) -> Tensor:
        return tensor if tensor.ndim == 0 else tensor.reshape(self.shape)

    @property
    def _device(self) -> torch.device:
        anchor: Tensor = self._anchor  # type: ignore[assignment]
        return anchor.device
