"""A population's presentation as one operation of PyTorch."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bioae.trainers.mirror.fused.arrays import Arrays, empty
from bioae.trainers.mirror.fused.build import compiled
from bioae.trainers.mirror.fused.source import Plan

__all__ = ["REALS", "SUM", "Kernel", "Timeline"]

#: Before the names of what is summed over time.
SUM = "sum of "

#: What the numbers that are compiled for are called in C++.
REALS = {torch.float32: "float", torch.float64: "double"}


class Timeline(NamedTuple):
    """When things happen to a population.

    Attributes
    ----------
    steps
        Steps of a period.
    lead_in
        How many of them are not recorded.
    sent
        In how many steps something was sent.
    delay
        Steps by which it arrives later.
    cut
        After how many steps states are detached, see `Backward.truncate`; 0: never.
    held
        Whether the same was sent in all of these steps, and is given once.
    """

    steps: int
    lead_in: int
    sent: int
    delay: int
    cut: int
    held: bool = False


class _Sizes(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_long)
        for name in ("steps", "lead", "examples", "size", "sent", "delay", "cut", "held", "threads")
    ]


@dataclass(frozen=True, eq=False)
class Kernel:
    """A compiled plan."""

    plan: Plan
    library: ctypes.CDLL

    @classmethod
    def of(cls, plan: Plan) -> Kernel:
        """Compile a plan, or find it compiled."""
        return cls(plan, compiled(plan.text()))

    def __call__(
        self,
        arriving: Mapping[str, Tensor],
        given: Mapping[str, Tensor],
        times: Tensor,
        timeline: Timeline,
        arrays: Arrays | None = None,
    ) -> dict[str, Tensor]:
        """Run a presentation.

        Parameters
        ----------
        arriving
            By name, (step and example, *shape), of the steps that were sent; of one where the
            same was sent in all.
        given
            What is given before the first step, without dimensions or (*shape).
        times
            The time of each step (time).
        timeline
            When things happen.
        arrays
            Where memory comes from.

        Returns
        -------
        dict
            What was recorded (time and example, *shape), the final values (example, *shape), and
            the sums (example, *shape), by ``sum of`` and the name.
        """
        plan = self.plan
        inputs = [arriving[name] for name in plan.step.inputs]
        parameters = [given[name] for name in plan.parameters]
        tensors = (*inputs, *parameters)
        outputs = _Presentation.apply(self, arrays, times, timeline, *tensors)  # type: ignore[no-untyped-call]
        sums = [SUM + name for name in plan.summed]
        return dict(zip((*plan.recorded, *plan.final, *sums), outputs, strict=True))


class _Presentation(torch.autograd.Function):
    """All steps, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any,
        kernel: Kernel,
        arrays: Arrays | None,
        times: Tensor,
        timeline: Timeline,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return what is recorded, then the final values, then the sums."""
        plan, count = kernel.plan, len(kernel.plan.step.inputs)
        layout = _layout(tensors[0])
        inputs = [tensor.contiguous(memory_format=layout) for tensor in tensors[:count]]
        parameters = [_laid_out(tensor, layout, times) for tensor in tensors[count:]]
        shape = inputs[0].shape
        ctx.kernel, ctx.layout, ctx.timeline, ctx.times = kernel, layout, timeline, times
        ctx.arrays = arrays
        ctx.shapes = [tensor.shape for tensor in tensors[count:]]
        ctx.save_for_backward(*inputs, *parameters)
        ctx.set_materialize_grads(False)
        sizes = _sizes(inputs[0], timeline)
        kept = timeline.steps - timeline.lead_in
        outputs = [
            empty(arrays, (rows * sizes.examples, *shape[1:]), inputs[0], layout)
            for names, rows in ((plan.recorded, kept), (plan.final, 1), (plan.summed, 1))
            for _ in names
        ]
        kernel.library.forward(
            ctypes.byref(sizes), *map(_pointers, (inputs, parameters)),
            ctypes.c_void_p(times.data_ptr()), _pointers(outputs),
        )  # fmt: skip
        return tuple(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of what arrived, and of what was given."""
        plan: Plan = ctx.kernel.plan
        count = len(plan.step.inputs)
        saved = ctx.saved_tensors
        inputs, parameters = saved[:count], saved[count:]
        given = [g if g is None else g.contiguous(memory_format=ctx.layout) for g in gradients]
        sizes = _sizes(inputs[0], ctx.timeline)
        wanted = ctx.needs_input_grad[4 : 4 + count]
        to = [
            empty(ctx.arrays, tensor.shape, tensor, ctx.layout) if want else None
            for tensor, want in zip(inputs, wanted, strict=True)
        ]
        for tensor in to:
            if ctx.timeline.held and tensor is not None:
                tensor.zero_()  # the steps add to it
        learned = [
            empty(ctx.arrays, (sizes.examples, *inputs[0].shape[1:]), inputs[0], ctx.layout)
            for _ in plan.learned
        ]
        ctx.kernel.library.backward(
            ctypes.byref(sizes), *map(_pointers, (inputs, parameters)),
            ctypes.c_void_p(ctx.times.data_ptr()), _pointers(given), _pointers([*to, *learned]),
        )  # fmt: skip
        sums = dict(zip(plan.learned, learned, strict=True))
        reduced = [
            sums[name].sum_to_size(shape) if name in sums else None
            for name, shape in zip(plan.parameters, ctx.shapes, strict=True)
        ]
        return None, None, None, None, *to, *reduced


def _sizes(given: Tensor, timeline: Timeline) -> _Sizes:
    steps, lead_in, sent, delay, cut, held = timeline
    examples, threads = len(given) // (1 if held else sent), torch.get_num_threads()
    return _Sizes(steps, lead_in, examples, given[0].numel(), sent, delay, cut, held, threads)


def _layout(tensor: Tensor) -> torch.memory_format:
    last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _laid_out(tensor: Tensor, layout: torch.memory_format, times: Tensor) -> Tensor:
    """Return a parameter as numbers in the order of what arrives."""
    tensor = tensor.to(times.dtype)
    if tensor.ndim == 3 and layout == torch.channels_last:
        tensor = tensor.permute(1, 2, 0)
    return tensor.contiguous()


def _pointers(tensors: Sequence[Tensor | None]) -> Any:
    kind = ctypes.c_void_p * max(len(tensors), 1)
    return kind(*(None if tensor is None else tensor.data_ptr() for tensor in tensors))
