"""Traces of a learning rule in PyTorch: variables of neurons that change with their spikes."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from bioae.equations.arrays.start import default_parameters
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.program import Program
from bioae.trainers.mirror.constants import Constants
from bioae.trainers.mirror.functions import torch_functions
from bioae.trainers.mirror.population import Population


class TracesMirror:
    """The traces of the neurons of one side, (example, neuron) each.

    `size`: the number of neurons.
    `dt`: the time step in seconds.
    `like`: a tensor of the type to use.
    `persistent`: traces that presentations do not reset.
    """

    def __init__(
        self, program: Program, size: int, dt: float, like: Tensor, persistent: Iterable[str] = ()
    ) -> None:
        #: The values that persistent traces have learned, by name (neuron).
        self.learned = {name: like.new_zeros(size) for name in persistent}
        self._program, self._size, self._like = program, size, like
        self._constants = Constants(Population(program, (size,), dt), default_parameters(program))
        self._stepper = Stepper(program, torch_functions(like.dtype))
        self._values: dict[str, Tensor] = {}

    def start(self, examples: int) -> None:
        """Reset the traces to their initial values."""
        values = dict(self._constants({}, self._like)) | self.learned
        for name in self._program.states:
            values[name] = values[name].expand(examples, self._size)
        self._values = values

    def keep(self) -> None:
        """Keep the persistent traces, averaged over the examples, for the next presentation."""
        self.learned = {name: self._values[name].mean(0) for name in self.learned}

    def integrate(self) -> None:
        """Run one step of the traces' equations."""
        self._stepper.update(self._values)

    def jump(self, spikes: Tensor) -> None:
        """Run `on_spike` for the neurons that fired (example, neuron)."""
        self._values["_fired"] = spikes > 0
        self._stepper.reset(self._values)

    def of(self, example: int) -> dict[str, Tensor]:
        """Return the traces of an example, (neuron) each."""
        return {name: self._values[name][example] for name in self._program.states}

    @property
    def states(self) -> dict[str, Tensor]:
        """The traces of all examples, (example, neuron) each."""
        return {name: self._values[name] for name in self._program.states}
