"""Compiled populations that depend on each other's spikes, stepped together as one operation."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bioae.trainers.mirror.compiled.arrays import pointers
from bioae.trainers.mirror.compiled.kernel import Part, compiled_loop, longs, panels, structure
from bioae.trainers.mirror.compiled.plan import SUM
from bioae.trainers.mirror.connections.pathways import Wire


class Sent(NamedTuple):
    """A wire in a presentation."""

    #: The synapses; None if all neurons are joined.
    wire: Wire | None
    #: The steps from a spike to its arrival.
    delay: int
    #: The numbers of the source's and of the target's population; sources that have run before
    #: follow the others.
    ends: tuple[int, int]
    #: The name of the target's input.
    name: str
    #: The weights of the synapses, sorted as they are, or (source, target).
    weight: Tensor


class Together(NamedTuple):
    """A presentation of populations that run together."""

    parts: Sequence[Part]
    #: The output of populations that have run before (step, example, neuron).
    before: Sequence[Tensor]
    #: The synapses from all of these to the populations.
    sent: Sequence[Sent]
    examples: int
    #: The number of steps after which gradients are cut, see `Backward.truncate`; 0: never.
    cut: int
    #: The steps whose values the backward pass stores at once.
    segment: int

    @property
    def threads(self) -> int:
        """The threads, each of which runs some examples."""
        return max(1, min(torch.get_num_threads(), self.examples))

    def run(self) -> list[dict[str, Tensor]]:
        """Return the results of each population, as `Kernel` does, with all axes."""
        tensors = [tensor for part in self.parts for tensor in part.tensors]
        tensors += [*self.before, *(each.weight for each in self.sent)]
        outputs = iter(_Presentation.apply(self, *tensors))  # type: ignore[no-untyped-call]
        return [
            {name: next(outputs) for name, _ in _outputs(part, self.examples)}
            for part in self.parts
        ]


def _outputs(part: Part, examples: int) -> list[tuple[str, tuple[int, ...]]]:
    """Return the names and shapes of the results of a population."""
    plan, one = part.kernel.plan, (examples, *part.shape)
    every = (part.steps - part.lead_in, *one)
    sums = [SUM + name for name in plan.summed]
    return [*((name, every) for name in plan.recorded), *((n, one) for n in (*plan.final, *sums))]


_Member = structure(
    "size start steps lead inputs recorded final summed carried later accumulated learned",
    "final_carried final_later learned_place f in par times out grad to learned_to",
)
_Wire = structure("source target input delay own synapses", "first to weight panels gradient")
_All = structure("members wires examples threads latency cut segment")


class _Gradients(NamedTuple):
    """Gradients in the backward pass; None where there is none.

    Those of the results of each population; of its known input by name, and of its initial values,
    which are computed; of the output of populations that have run before; and of the weights of
    each wire, for each thread.
    """

    results: list[Sequence[Tensor | None]]
    known: list[dict[str, Tensor]]
    initial: list[list[Tensor]]
    before: list[Tensor | None]
    weights: list[Tensor | None]


class _Call:
    """The arguments of a call of C++, and all arrays that they point to."""

    def __init__(
        self, together: Together, tensors: Sequence[Tensor], gradients: _Gradients | None = None
    ) -> None:
        self._together, self._gradients, self._kept = together, gradients, list[Any]()
        rest = iter(tensors)
        self._tensors = [[next(rest) for _ in part.tensors] for part in together.parts]
        self._before = [next(rest) for _ in together.before]
        self._weights = list(rest)

    def __call__(self, function: str, outputs: Sequence[Sequence[Tensor | None]]) -> None:
        together, plan = self._together, self._together.parts[0].kernel.plan
        count, wires = len(together.parts) + len(self._before), len(together.sent)
        every = _All(
            count, wires, together.examples, together.threads, plan.latency, together.cut,
            together.segment,
        )  # fmt: skip
        earlier = map(self._earlier, range(len(self._before)))
        members = (_Member * count)(*map(self._member, itertools.count(), outputs), *earlier)
        compiled_loop(plan.real, "component.cpp")[function](
            ctypes.byref(every), members, (_Wire * max(wires, 1))(*map(self._wire, range(wires)))
        )

    def _at(self, array: Any) -> int:
        """Return the address of an array of C, which is kept."""
        self._kept.append(array)
        return ctypes.addressof(array)

    def _member(self, number: int, outputs: Sequence[Tensor | None]) -> Any:
        part, tensors, gradients = (
            self._together.parts[number], self._tensors[number], self._gradients
        )  # fmt: skip
        plan = part.kernel.plan
        known = dict(zip(part.arriving, tensors, strict=False))
        inputs = [*plan.step.inputs]
        arrays = (
            [known.get(name) for name in inputs], tensors[len(part.arriving) :], part.times,
            outputs, gradients.results[number] if gradients else [],
            [gradients.known[number].get(name) if gradients else None for name in inputs],
            gradients.initial[number] if gradients else [],
        )  # fmt: skip
        return _Member(
            torch.Size(part.shape).numel(), part.start, part.steps, part.lead_in, *plan.counts,
            *(self._at(longs(each)) for each in plan.places),
            self._at(part.kernel.steps()),
            *(
                each.data_ptr() if isinstance(each, Tensor) else self._at(pointers(each))
                for each in arrays
            ),
        )  # fmt: skip

    def _earlier(self, number: int) -> Any:
        sent = self._before[number]
        to = self._gradients.before[number] if self._gradients else None
        arrays = {"in": self._at(pointers([sent])), "to": self._at(pointers([to]))}
        return _Member(size=sent.shape[2], steps=len(sent), inputs=1, **arrays)

    def _wire(self, number: int) -> Any:
        wire, delay, (source, target), name, _ = self._together.sent[number]
        plan, weight = self._together.parts[target].kernel.plan, self._weights[number]
        in_panels = panels(weight.T, plan.real) if self._gradients and wire is None else None
        self._kept.append(in_panels)
        arrays = (
            wire.first if wire else None, wire.target if wire else None, weight, in_panels,
            self._gradients.weights[number] if self._gradients else None,
        )  # fmt: skip
        return _Wire(
            source, target, [*plan.step.inputs].index(name), delay, source == target,
            weight.numel(), *(None if each is None else each.data_ptr() for each in arrays),
        )  # fmt: skip


class _Presentation(torch.autograd.Function):
    """All steps, forward and backward."""

    @staticmethod
    def forward(ctx: Any, together: Together, *tensors: Tensor) -> tuple[Tensor, ...]:
        like = together.parts[0].times
        tensors = tuple(each.to(like.dtype).contiguous() for each in tensors)
        outputs = [
            [like.new_empty(shape) for _, shape in _outputs(part, together.examples)]
            for part in together.parts
        ]
        _Call(together, tensors)("forward", outputs)
        ctx.together = together
        ctx.save_for_backward(*tensors)
        ctx.set_materialize_grads(False)
        return tuple(each for own in outputs for each in own)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        together, tensors = ctx.together, ctx.saved_tensors
        rest, given = iter(gradients), zip(tensors, ctx.needs_input_grad[1:], strict=True)
        arrays = _Gradients([], [], [], [], [])
        for part in together.parts:
            own = [next(rest) for _ in _outputs(part, together.examples)]
            arrays.results.append([None if each is None else each.contiguous() for each in own])
            known = {name: next(given) for name in part.arriving}
            arrays.known.append(
                {n: torch.zeros_like(each) for n, (each, need) in known.items() if need}
            )
            _ = [next(given) for _ in part.kernel.plan.parameters]
            one = (together.examples, *part.shape)
            arrays.initial.append([part.times.new_empty(one) for _ in part.kernel.plan.learned])
        for sent, need in itertools.islice(given, len(together.before)):
            arrays.before.append(torch.zeros_like(sent) if need else None)
        for weight, need in given:
            parts = weight.new_zeros((together.threads, *weight.shape)) if need else None
            arrays.weights.append(parts)
        nothing: list[Sequence[Tensor | None]] = [[None] * len(own) for own in arrays.results]
        _Call(together, tensors, arrays)("backward", nothing)
        found: list[Tensor | None] = []
        for part, to, learned in zip(together.parts, arrays.known, arrays.initial, strict=True):
            plan = part.kernel.plan
            sums = dict(zip(plan.learned, learned, strict=True))
            found += [to.get(name) for name in part.arriving]
            found += [
                sums[n].sum_to_size(part.initial[n].shape) if n in sums else None
                for n in plan.parameters
            ]
        found += arrays.before
        found += [None if each is None else each.sum(0) for each in arrays.weights]
        return None, *found
