"""What a layer's population and its read-out do in a presentation, compiled."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import Tensor

from bioae.trainers.mirror.arrivals import Arrived
from bioae.trainers.mirror.fused.arrays import Arrays
from bioae.trainers.mirror.fused.graph import Unsupported
from bioae.trainers.mirror.fused.population import REALS, Kernel, Timeline
from bioae.trainers.mirror.fused.source import Plan
from bioae.trainers.mirror.fused.trace import trace
from bioae.trainers.mirror.neuron import NeuronMirror

__all__ = ["FusedLayer"]

#: Before the names of the read-out's variables: no name has a space.
READOUT = "readout "


#: What is recorded, what is returned as it is after the last step, and what is summed.
_Asked = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

#: What is given before the first step, by the prefix of its population and its name.
Given = Mapping[str, Mapping[str, Tensor]]


class FusedLayer:
    """Compiled populations of a layer, by what is asked of them.

    Parameters
    ----------
    neuron, readout
        The layer's population, and its read-out.
    arrays
        Where memory comes from in training.
    """

    def __init__(self, neuron: NeuronMirror, readout: NeuronMirror, arrays: Arrays) -> None:
        self._arrays = arrays
        self._populations = {"": neuron, READOUT: readout}
        self._kernels: dict[Any, Kernel | Unsupported] = {}

    def __call__(
        self,
        send: Callable[[], Arrived],
        arriving: Collection[str],
        timeline: Timeline,
        *,
        record: Collection[str],
        final: Collection[str] = (),
        summed: Collection[str] = (),
    ) -> dict[str, Tensor]:
        """Run a presentation.

        Parameters
        ----------
        send
            Returns what was sent (step and example, *shape); not called where it is in vain.
        arriving
            The names of what it returns.
        timeline
            When things happen.
        record
            What to record at the end of each step: states, ``_spike``, and the read-out's states
            after ``readout``.
        final
            What to return as it is after the last step.
        summed
            Those of `record` to return summed over the steps too.

        Returns
        -------
        dict
            By name, (time, example, *shape) or (example, *shape); sums after ``sum of``.

        Raises
        ------
        Unsupported
            If something in it is not compiled.
        """
        read = any(name.startswith(READOUT) for name in (*record, *final))
        chosen = ("", READOUT) if read else ("",)
        given = {prefix: self._populations[prefix].constants() for prefix in chosen}
        kernel = self._kernel(given, tuple(arriving), (tuple(record), tuple(final), tuple(summed)))
        values = {p + name: tensor for p in chosen for name, tensor in given[p].items()}
        neuron = self._populations[""]
        times, arrays = neuron.times(timeline.steps), self._arrays.in_training()
        found = kernel(send(), values, times, timeline, arrays)
        for name in record:
            recorded = timeline.steps - timeline.lead_in
            found[name] = found[name].view(recorded, -1, *neuron.shape)
        return found

    def _kernel(self, given: Given, arriving: tuple[str, ...], asked: _Asked) -> Kernel:
        values = {p + name: tensor for p, named in given.items() for name, tensor in named.items()}
        like = values["dt"]
        if like.device.type != "cpu" or like.dtype not in REALS:
            raise Unsupported(f"{like.dtype} on {like.device.type}")
        learning = tuple(name for name, tensor in values.items() if tensor.requires_grad)
        each = {name: tensor.ndim > 0 for name, tensor in values.items()}
        key = (like.dtype, arriving, asked, learning, tuple(each.items()))
        if key not in self._kernels:
            try:
                step = trace({p: (self._populations[p], given[p]) for p in given}, arriving)
                self._kernels[key] = Kernel.of(
                    Plan(step, each, *asked, learning, REALS[like.dtype])
                )
            except Unsupported as reason:
                self._kernels[key] = reason
        found = self._kernels[key]
        if isinstance(found, Unsupported):
            raise found
        return found
