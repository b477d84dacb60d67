"""A compiled presentation of a population as one operation of PyTorch."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from bioae.trainers.mirror.compiled.arrays import Arrays, empty, pointers
from bioae.trainers.mirror.compiled.build import compile_cpp, template
from bioae.trainers.mirror.compiled.cpp import FUNCTIONS
from bioae.trainers.mirror.compiled.plan import SUM, Plan, Timeline

#: Examples of a recurrent layer whose steps run together: weights are read once for all of them.
_GROUP = 32

#: Neurons of another layer whose steps run together.
_WIDTH = 512

#: Bytes of a panel of weights, see the template.
_PANEL = 128

#: The most bytes of gradients of weights that threads accumulate separately.
_MOST_ACCUMULATED = 2**30


class Path(NamedTuple):
    """Recurrent connections of one input and one delay in steps, with weights (target, source)."""

    name: str
    delay: int
    weight: Tensor


def structure(numbers: str, addresses: str = "") -> Any:
    """Return a structure of C++, from the names of its whole numbers and of its addresses."""
    fields: list[tuple[str, Any]] = [(name, ctypes.c_long) for name in numbers.split()]
    fields += [(name, ctypes.c_void_p) for name in addresses.split()]
    return type("Structure", (ctypes.Structure,), {"_fields_": fields})


_Path = structure("input delay", "rows panels gradient")
_Sizes = structure(
    "steps lead examples size padded sent delay cut held threads group width inputs recorded final "
    "summed carried later accumulated learned latency paths",
    "final_carried final_later learned_place",
)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A compiled plan: the functions of a step, and of all steps, the same for every plan."""

    plan: Plan
    library: ctypes.CDLL
    loop: ctypes.CDLL

    @classmethod
    def build(cls, plan: Plan, source: str) -> Kernel:
        """Compile the source of a plan, or load it from the cache."""
        return cls(plan, compile_cpp(source), compiled_loop(plan.real, "layer.cpp"))

    def __call__(
        self,
        arriving: Mapping[str, Tensor],
        initial: Mapping[str, Tensor],
        run: Run,
        paths: Sequence[Path] = (),
    ) -> dict[str, Tensor]:
        """Run a presentation.

        Input comes from other layers (step and example, *shape), of one step if it is held; initial
        values are scalars or (*shape). The results are the recorded values (time and example,
        *shape), the final values (example, *shape), and the sums, with the prefix `SUM`.
        """
        plan = self.plan
        names = [*plan.step.inputs]
        wired = [(names.index(path.name), path.delay) for path in paths]
        tensors = (
            *(arriving[name] for name in names),
            *(initial[name] for name in plan.parameters),
            *(path.weight for path in paths),
        )
        outputs = _Presentation.apply(self, run, wired, *tensors)  # type: ignore[no-untyped-call]
        sums = [SUM + name for name in plan.summed]
        return dict(zip((*plan.recorded, *plan.final, *sums), outputs, strict=True))

    def steps(self) -> Any:
        """Return the addresses of the functions of a step."""
        kind = ctypes.c_void_p * len(FUNCTIONS)
        return kind(*(ctypes.cast(self.library[n], ctypes.c_void_p).value for n in FUNCTIONS))

    def sizes(
        self, shape: torch.Size, timeline: Timeline, paths: int, trained: int
    ) -> tuple[Any, Any]:
        """Return the sizes of a presentation of input (*shape), and the arrays that they point to.

        `paths` and `trained` are the numbers of recurrent connections, and of those whose weights
        need gradients.
        """
        plan, (steps, lead_in, sent, delay, cut, held) = self.plan, timeline
        examples, size = shape[0] // (1 if held else sent), shape[1:].numel()
        threads, group, width, padded = torch.get_num_threads(), 1, _WIDTH, size
        if plan.latency is not None:
            padded, width = _padded(size, plan.real), size
            threads = min(threads, examples, _most_threads(trained * size * padded, plan.real))
            threads = max(1, threads)
            group = _group(examples, threads)
        places = [*map(longs, plan.places)]
        sizes = _Sizes(
            steps, lead_in, examples, size, padded, sent, delay, cut, held,
            threads, group, width, *plan.counts,
            -1 if plan.latency is None else plan.latency, paths,
            *(ctypes.addressof(each) for each in places),
        )  # fmt: skip
        return sizes, places


class Run(NamedTuple):
    """The timing of a presentation, and the source of memory."""

    #: The time of each step, and timed arrays (row, step).
    times: Tensor
    timeline: Timeline
    #: None: memory of PyTorch.
    arrays: Arrays | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """A population in a presentation."""

    kernel: Kernel
    #: The first step of its period, counted as those of the network.
    start: int
    #: The steps before its window.
    lead_in: int
    #: The time of each step, and timed arrays (row, step).
    times: Tensor
    #: The known input by name (step, example, *shape), where there is some.
    arriving: Mapping[str, Tensor]
    #: The values before the first step, scalars or (*shape).
    initial: Mapping[str, Tensor]
    shape: tuple[int, ...]

    @property
    def tensors(self) -> list[Tensor]:
        """The known input and the initial values, in order."""
        plan = self.kernel.plan
        return [*self.arriving.values(), *(self.initial[name] for name in plan.parameters)]

    @property
    def steps(self) -> int:
        """The steps of its period."""
        return self.times.shape[1]


class _Presentation(torch.autograd.Function):
    """All steps, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, run: Run, wired: Sequence[tuple[int, int]], *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the recorded values, the final values and the sums.

        `wired` are the places of the input, and the delays, of the recurrent connections.
        """
        times, timeline, arrays = run
        plan, count = kernel.plan, len(kernel.plan.step.inputs)
        recurrent = plan.latency is not None
        first = len(tensors) - len(wired)
        layout = torch.contiguous_format if recurrent else _layout(tensors[0])
        inputs = [tensor.contiguous(memory_format=layout) for tensor in tensors[:count]]
        parameters = [_laid_out(tensor, layout, times) for tensor in tensors[count:first]]
        weights = tensors[first:]
        trained = sum(ctx.needs_input_grad[3 + first :])
        sizes, places = kernel.sizes(inputs[0].shape, timeline, len(wired), trained)
        rows = [_rows(weight, sizes.padded) for weight in weights]
        shape = inputs[0].shape[1:]

        def arrays_of(number: int, steps: int) -> list[Tensor]:
            whole = (steps * sizes.examples, *shape)
            return [empty(arrays, whole, times, layout) for _ in range(number)]

        outputs = arrays_of(len(plan.recorded), timeline.steps - timeline.lead_in)
        outputs += arrays_of(len(plan.final) + len(plan.summed), 1)
        # The input of each step, with that from the layer itself.
        total = arrays_of(count, timeline.steps) if recurrent else inputs
        kernel.loop.forward(
            ctypes.byref(sizes), kernel.steps(), *map(pointers, (inputs, parameters)),
            ctypes.c_void_p(times.data_ptr()), pointers(outputs), pointers(total),
            _paths(wired, rows=rows),
        )  # fmt: skip
        ctx.kernel, ctx.run, ctx.wired, ctx.arrays_of = kernel, run, wired, arrays_of
        ctx.sizes, ctx.places, ctx.layout = sizes, places, layout
        ctx.shapes = [tensor.shape for tensor in tensors[count:first]]
        ctx.save_for_backward(*total, *parameters, *weights)
        ctx.set_materialize_grads(False)
        return tuple(outputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Return the gradients of the input, of the initial values and of the weights."""
        kernel, sizes, wired = ctx.kernel, ctx.sizes, ctx.wired
        times, timeline, arrays = ctx.run
        plan: Plan = kernel.plan
        count, first = len(plan.step.inputs), len(ctx.saved_tensors) - len(wired)
        total, parameters = ctx.saved_tensors[:count], ctx.saved_tensors[count:first]
        weights = ctx.saved_tensors[first:]
        incoming = [g if g is None else g.contiguous(memory_format=ctx.layout) for g in gradients]
        to: list[Tensor | None]
        if plan.latency is not None:
            to = [*ctx.arrays_of(count, timeline.steps)]
        else:
            to = [
                empty(arrays, tensor.shape, tensor, ctx.layout) if need else None
                for tensor, need in zip(total, ctx.needs_input_grad[3 : 3 + count], strict=True)
            ]
            for each in to:
                if timeline.held and each is not None:
                    each.zero_()  # the steps add to it
        learned = ctx.arrays_of(len(plan.learned), 1)
        parts = [
            weight.new_zeros((sizes.threads, sizes.size, sizes.padded)) if need else None
            for weight, need in zip(weights, ctx.needs_input_grad[3 + first :], strict=True)
        ]
        in_panels = [panels(weight, plan.real) for weight in weights]
        kernel.loop.backward(
            ctypes.byref(sizes), kernel.steps(), pointers(parameters),
            ctypes.c_void_p(times.data_ptr()), pointers(incoming), pointers(total),
            _paths(wired, panels=in_panels, gradient=parts), pointers(to), pointers(learned),
        )  # fmt: skip
        sums = dict(zip(plan.learned, learned, strict=True))
        reduced = [
            sums[name].sum_to_size(shape) if name in sums else None
            for name, shape in zip(plan.parameters, ctx.shapes, strict=True)
        ]
        own = [None if p is None else p.sum(0)[:, : sizes.size].T for p in parts]
        if plan.latency is not None:
            to = [_sent(each, timeline, sizes.examples) for each in to if each is not None]
        return None, None, None, *to, *reduced, *own


def _sent(gradient: Tensor, timeline: Timeline, examples: int) -> Tensor:
    """Return the gradient of the input from that of the total input in each step."""
    each = gradient.view(timeline.steps, examples, *gradient.shape[1:])
    sent = each[timeline.delay : timeline.delay + timeline.sent]
    return sent.sum(0) if timeline.held else sent.flatten(0, 1)


def _group(examples: int, threads: int) -> int:
    """Return the examples of a group, at most `_GROUP`, with as many groups for each thread."""
    each = max(1, -(-examples // threads))
    return -(-each // -(-each // _GROUP))


def _padded(size: int, real: str) -> int:
    panel = _PANEL // _bytes(real)
    return -(-size // panel) * panel


def _most_threads(numbers: int, real: str) -> int:
    """Return the threads that may accumulate some numbers each, in bounded memory."""
    return _MOST_ACCUMULATED // max(1, numbers * _bytes(real))


def _bytes(real: str) -> int:
    return ctypes.sizeof(ctypes.c_float if real == "float" else ctypes.c_double)


def _rows(weight: Tensor, padded: int) -> Tensor:
    """Return weights as (source, target), targets padded."""
    return functional.pad(weight.T, (0, padded - len(weight))).contiguous()


def panels(weight: Tensor, real: str) -> Tensor:
    """Return weights as (panel of sources, target, source), sources padded."""
    sources = weight.shape[1]
    rows = functional.pad(weight, (0, _padded(sources, real) - sources))
    return rows.view(len(weight), -1, _padded(1, real)).movedim(1, 0).contiguous()


def _paths(wired: Sequence[tuple[int, int]], **arrays: Sequence[Tensor | None]) -> Any:
    """Return the connections with the addresses of their arrays."""
    paths = (_Path * max(len(wired), 1))()
    for k, (place, delay) in enumerate(wired):
        present = {name: each[k] for name, each in arrays.items()}
        addresses = {n: None if t is None else t.data_ptr() for n, t in present.items()}
        paths[k] = _Path(place, delay, **addresses)
    return paths


def longs(values: Sequence[int]) -> Any:
    """Return whole numbers as an array of C."""
    return (ctypes.c_long * max(len(values), 1))(*values)


@functools.cache
def compiled_loop(real: str, name: str) -> ctypes.CDLL:
    """Compile the template of a loop over steps for a type of numbers."""
    texts = (template(__package__, each) for each in ("group.cpp", "panels.cpp", name))
    # Contraction changes no spike: the forward pass adds weights, without a product. Gradients are
    # rounded once per term in place of twice.
    return compile_cpp("\n".join([f"typedef {real} R;", *texts]), contract=True)


def _layout(tensor: Tensor) -> torch.memory_format:
    last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _laid_out(tensor: Tensor, layout: torch.memory_format, times: Tensor) -> Tensor:
    """Return a parameter as numbers in the memory order of the input."""
    tensor = tensor.to(times.dtype)
    if tensor.ndim == 3 and layout == torch.channels_last:
        tensor = tensor.permute(1, 2, 0)
    return tensor.contiguous()
