"""A compiled presentation of a population as one operation of PyTorch."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bioae.trainers.mirror.compiled.arrays import Arrays, empty, pointers
from bioae.trainers.mirror.compiled.build import compile_cpp
from bioae.trainers.mirror.compiled.plan import SUM, Plan, Timeline

__all__ = ["Kernel"]


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
    def build(cls, plan: Plan, source: str) -> Kernel:
        """Compile the source of a plan, or load it from the cache."""
        return cls(plan, compile_cpp(source))

    def __call__(
        self,
        arriving: Mapping[str, Tensor],
        initial: Mapping[str, Tensor],
        times: Tensor,
        timeline: Timeline,
        arrays: Arrays | None = None,
    ) -> dict[str, Tensor]:
        """Run a presentation.

        Parameters
        ----------
        arriving
            The input by name (step and example, *shape); of one step if it is held.
        initial
            The values before the first step, scalars or (*shape).
        times
            The time of each step (time).
        timeline
            The timing of the steps and input.
        arrays
            The source of memory.

        Returns
        -------
        dict
            The recorded values (time and example, *shape), the final values (example, *shape), and
            the sums (example, *shape), with the prefix `SUM`.
        """
        plan = self.plan
        inputs = [arriving[name] for name in plan.step.inputs]
        parameters = [initial[name] for name in plan.parameters]
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
        """Return the recorded values, the final values and the sums."""
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
        recorded = timeline.steps - timeline.lead_in
        outputs = [
            empty(arrays, (rows * sizes.examples, *shape[1:]), inputs[0], layout)
            for names, rows in ((plan.recorded, recorded), (plan.final, 1), (plan.summed, 1))
            for _ in names
        ]
        kernel.library.forward(
            ctypes.byref(sizes), *map(pointers, (inputs, parameters)),
            ctypes.c_void_p(times.data_ptr()), pointers(outputs),
        )  # fmt: skip
        return tuple(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of the input and of the initial values."""
        plan: Plan = ctx.kernel.plan
        count = len(plan.step.inputs)
        saved = ctx.saved_tensors
        inputs, parameters = saved[:count], saved[count:]
        incoming = [g if g is None else g.contiguous(memory_format=ctx.layout) for g in gradients]
        sizes = _sizes(inputs[0], ctx.timeline)
        needed = ctx.needs_input_grad[4 : 4 + count]
        to = [
            empty(ctx.arrays, tensor.shape, tensor, ctx.layout) if need else None
            for tensor, need in zip(inputs, needed, strict=True)
        ]
        for tensor in to:
            if ctx.timeline.held and tensor is not None:
                tensor.zero_()  # the steps add to it
        learned = [
            empty(ctx.arrays, (sizes.examples, *inputs[0].shape[1:]), inputs[0], ctx.layout)
            for _ in plan.learned
        ]
        ctx.kernel.library.backward(
            ctypes.byref(sizes), *map(pointers, (inputs, parameters)),
            ctypes.c_void_p(ctx.times.data_ptr()), pointers(incoming), pointers([*to, *learned]),
        )  # fmt: skip
        sums = dict(zip(plan.learned, learned, strict=True))
        reduced = [
            sums[name].sum_to_size(shape) if name in sums else None
            for name, shape in zip(plan.parameters, ctx.shapes, strict=True)
        ]
        return None, None, None, None, *to, *reduced


def _sizes(tensor: Tensor, timeline: Timeline) -> _Sizes:
    steps, lead_in, sent, delay, cut, held = timeline
    examples, threads = len(tensor) // (1 if held else sent), torch.get_num_threads()
    return _Sizes(steps, lead_in, examples, tensor[0].numel(), sent, delay, cut, held, threads)


def _layout(tensor: Tensor) -> torch.memory_format:
    last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _laid_out(tensor: Tensor, layout: torch.memory_format, times: Tensor) -> Tensor:
    """Return a parameter as numbers in the memory order of the input."""
    tensor = tensor.to(times.dtype)
    if tensor.ndim == 3 and layout == torch.channels_last:
        tensor = tensor.permute(1, 2, 0)
    return tensor.contiguous()
