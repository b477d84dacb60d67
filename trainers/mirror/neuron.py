"""A population in PyTorch: a program's states, parameters and constants, stepped through time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.equations.lowering import parameter_values
from bioae.equations.model import NeuronModel
from bioae.equations.program import Program
from bioae.equations.quantities import evaluate
from bioae.errors import ModelError
from bioae.noise import START_STEP, Key
from bioae.schedule import Schedule
from bioae.trainers.derivatives import SpikeDerivative, spike
from bioae.trainers.mirror.constants import Constants
from bioae.trainers.mirror.gradients import torch_stepper
from bioae.trainers.mirror.noise import Noise

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
    number
        Tells the population's noise from that of others, see `bioae.noise.population_number`.
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
        number: int = 1,
    ) -> None:
        super().__init__()
        self.program = program
        self.shape = shape
        self.schedule = schedule
        self.derivative = derivative
        self.trained = nn.ParameterDict(
            {
                name: nn.Parameter(torch.tensor(np.asarray(values), dtype=dtype))
                for name, values in parameters.items()
                if name in trainable
            }
        )
        self._bounds = {name: _bounds(program.model, name) for name in self.trained}
        fixed = {n: np.asarray(v) for n, v in parameters.items() if n not in self.trained}
        self._constants = Constants(program, shape, fixed, dt)
        self.noise = Noise(program, shape, number)
        self._dt = dt
        # Tells where the module lies, and in which type of numbers, when nothing is trained.
        self.register_buffer("_anchor", torch.zeros((), dtype=dtype), persistent=False)
        self._stepper = torch_stepper(program, derivative, dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # What PyTorch calls to move a module to another device or type of numbers.
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._stepper = torch_stepper(self.program, self.derivative, self._like.dtype)
        return self

    @torch.no_grad()
    def clamp_(self) -> None:
        """Move trained parameters back into the bounds that the model gives them."""
        for name, values in self.trained.items():
            values.clamp_(*self._bounds[name])

    def start(self, batch: int, key: Key | None = None) -> Values:
        """Return everything that statements name, at the start of a presentation.

        Parameters
        ----------
        batch
            Examples that are presented at once.
        key
            What the noise depends on, where the model is noisy.
        """
        values = self._constants(dict(self.trained.items()), self._like)
        for name, state in self.program.states.items():
            if not state.shared:
                values[name] = values[name].expand(batch, *self.shape)
        if self._stepper.random_start:
            values |= self.noise(key, [START_STEP], self._like)
            for name, expression in self._stepper.random_start.items():
                values[name] = expression(values).expand(batch, *self.shape)
        values["_spike"] = self._like.new_zeros((batch, *self.shape))
        values["_fired"] = values["_spike"].bool()
        return values

    def forward(
        self,
        arriving: Sequence[Tensor | None],
        *,
        recurrence: Recurrence | None = None,
        record: Collection[str] = (),
        key: Key | None = None,
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
        key
            What the noise depends on, where the model is noisy.
        """
        present = next(tensor for tensor in arriving if tensor is not None)
        values = self.start(len(present), key)
        lead_in = self.schedule.lead_in
        steps = range(-lead_in, len(arriving) - lead_in)
        clock = self._like.new_tensor(list(steps)) * self._dt
        recorded: dict[str, list[Tensor]] = {name: [] for name in record}
        arrived: list[Tensor | None] = []
        for step, time, tensor in zip(steps, clock.unbind(0), arriving, strict=True):
            values["t"] = time
            values |= self.noise(key, [step], self._like)
            arrived.append(self.step(values, tensor, recurrence))
            if step >= 0:
                for name, kept in recorded.items():
                    kept.append(values[name].expand(present.shape))
        # Not `stack`, which would lay the layers of an image out anew.
        joined = {name: torch.cat(kept) for name, kept in recorded.items()}
        shape = (-1, *present.shape)
        return Run({name: tensor.view(shape) for name, tensor in joined.items()}, arrived)

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

    @property
    def _like(self) -> Tensor:
        anchor: Tensor = self._anchor  # type: ignore[assignment]
        return anchor


def _bounds(model: NeuronModel, name: str) -> tuple[float, float]:
    low, high = (
        float(
            evaluate(
                bound,
                dimensions_of=parameter_values(model)[name],
                where=f"{model.name}.toml, [trainable] {name}",
                error=ModelError,
            )
        )
        for bound in model.trainable[name]
    )
    return low, high
