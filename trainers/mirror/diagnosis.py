"""The operation of a neuron model that made a number or a derivative that is not finite.

A training step does not look for it; one that ends in NaN is run again with a look at every
operation.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack
from functools import partial
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bioae.equations.arrays.compiling import SOURCE, running
from bioae.equations.expressions import Expression, Statement
from bioae.equations.program import TEMPORARY, Program
from bioae.trainers.mirror.functions import straight_through
from bioae.trainers.mirror.gradients import attached_write
from bioae.trainers.mirror.layer import LayerMirror
from bioae.trainers.mirror.neuron import NeuronMirror
from bioae.trainers.mirror.skipped import TAKEN

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%",
    ast.Pow: "**",
}  # fmt: skip

#: Functions with custom gradients, in which assignments end.
_WRITES = (attached_write, straight_through)

_RANDOM = {"uniform": Expression("rand()"), "normal": Expression("randn()")}

_HINT = {
    "sqrt": "Add a small number under the root, as in sqrt(x + 1e-9)",
    "**": "Keep the base of the power away from 0 and infinity, as in clip(x, 1e-9, 1e9)",
    **dict.fromkeys(("/", "//", "%"), "Keep the divisor away from 0, as in x/(y + 1e-9)"),
    **{
        name: f"Bound the argument, as in {name}(clip(x, -50, 50))"
        for name in ("exp", "expm1", "exprel", "sinh", "cosh")
    },
    **dict.fromkeys(("log", "log10", "log1p"), "Keep the argument above 0, with clip"),
    **dict.fromkeys(("arcsin", "arccos"), "Keep the argument inside -1 to 1, with clip"),
}


class Culprit(NamedTuple):
    """The first operation whose result, or whose derivative, is not finite."""

    layer: str
    model: str
    #: The part of the model that contains the operation.
    place: str
    #: Its expression, without the names that bioae gave to parts of it.
    expression: Expression
    #: The function or operator, as the model's text has it.
    function: str
    #: Whether its derivative is not finite; else its result.
    derivative: bool

    def __str__(self) -> str:
        what = "derivative" if self.derivative else "result"
        return (
            f"layer {self.layer}, neuron model {self.model!r}, {self.place}: "
            f"the {what} of {self.function!r} in {str(self.expression)!r} is not finite"
        )

    @property
    def hint(self) -> str | None:
        """The change of the model that keeps it finite; None if it is that of no function."""
        # A product or quotient of an exponential only passes on what became infinite there.
        grown = self.function in ("*", "/") and "exp(" in str(self.expression)
        return _HINT.get("exp" if grown else self.function)


def first_not_finite(layers: Collection[LayerMirror], loss: Callable[[], Tensor]) -> Culprit | None:
    """Return the operation of a neuron model that first made a number that is not finite, if any.

    `loss` runs the mirror and returns the loss. The gradients of the layers' weights are reset.
    """
    watch = _Watch()
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(layer.uncompiled())
            for population in (layer.neuron, layer.readout):
                enter = partial(watch.enter, layer.placed.name)
                stack.callback(population.register_forward_pre_hook(enter).remove)
        with torch.enable_grad(), watch:
            value = loss()
        if watch.result is None:
            value.backward()  # type: ignore[no-untyped-call]
    for layer in layers:
        layer.zero_grad()
    return watch.result or watch.derivative or watch.infinite


class _Watch(TorchFunctionMode):
    """Look at the result and the derivative of each operation in a statement of a model.

    Infinity by itself is not a failure: a comparison may turn it into a finite number again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.result: Culprit | None = None
        self.infinite: Culprit | None = None
        self.derivative: Culprit | None = None
        self._known: dict[tuple[int, int], tuple[Statement, ast.expr | None]] = {}
        self._layer = ""
        self._program: Program | None = None

    def enter(self, layer: str, population: NeuronMirror, _: Any) -> None:
        """Remember the population that runs."""
        self._layer, self._program = layer, population.program

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run one of PyTorch's functions."""
        if func in _WRITES:
            with self:  # look at what they call, as they are no operations of a model
                return func.__wrapped__(*args)  # type: ignore[attr-defined]
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and self.result is None:
            self._look(func, args, result)
        return result

    def _look(self, func: Callable[..., Any], args: Any, result: Tensor) -> None:
        frame = _frame()
        if frame is None or self._program is None:
            return
        name = getattr(func, "__name__", "").strip("_")
        culprit = partial(_culprit, self._layer, self._program, name, *self._running(frame))
        if not result.isfinite().all() and _finite(args):
            if result.isnan().any():
                self.result = self.infinite or culprit(derivative=False)
            self.infinite = self.infinite or culprit(derivative=False)
        elif result.isnan().any() and self.infinite is not None:
            self.result = self.infinite
        if result.grad_fn is not None:
            self._follow(result.grad_fn, partial(culprit, derivative=True))

    def _running(self, frame: FrameType) -> tuple[Statement, ast.expr | None]:
        """Look up the operation that a frame runs, once for all steps."""
        key = id(frame.f_globals), frame.f_lasti
        if key not in self._known:
            self._known[key] = running(frame)
        return self._known[key]

    def _follow(self, node: Any, culprit: Callable[[], Culprit]) -> None:
        def look(to: tuple[Tensor | None, ...], come: tuple[Tensor | None, ...]) -> None:
            if self.derivative is None and _finite(come) and not _finite(to):
                self.derivative = culprit()

        node.register_hook(look)


def _finite(values: Iterable[Any]) -> bool:
    return all(bool(each.isfinite().all()) for each in values if isinstance(each, Tensor))


def _frame() -> FrameType | None:
    """Return the frame in which a statement of a neuron model runs."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename != SOURCE:
        frame = frame.f_back
    return frame


def _culprit(
    layer: str,
    program: Program,
    torch_name: str,
    statement: Statement,
    operation: ast.expr | None,
    *,
    derivative: bool,
) -> Culprit:
    match operation:
        case ast.Call(func=ast.Name(id=function)):
            pass
        case ast.BinOp(op=op):
            function = _OPERATORS[type(op)]
        case _:  # an assignment, for instance, that selects the neurons which fired
            function = torch_name
    place = _places(program).get(statement.value) if statement.target == "_value" else None
    return Culprit(
        layer,
        program.model.name,
        place or f"the variable {_plain(statement.target)!r}",
        _readable(statement.value, program),
        function,
        derivative,
    )


def _places(program: Program) -> dict[Expression | None, str]:
    """Return the parts of a model that are expressions, and no assignments."""
    return {
        **dict.fromkeys(program.constants.values(), "a constant of the equations"),
        **{value: f"the initial value of {name!r}" for name, value in program.initial.items()},
        **dict.fromkeys((program.distance, program.scale), "the spike derivative"),
        **{
            event.condition: f"the condition of the event {name!r}"
            for name, event in program.events.items()
        },
        **dict.fromkeys((program.threshold, program.condition), "the threshold"),
    }


def _readable(expression: Expression, program: Program) -> Expression:
    """Return an expression without the names that lowering gave to parts of it."""
    own = {name: Expression(name.removeprefix(TAKEN)) for name in expression.names}
    expression = expression.substituted(own)
    while expression.names & program.constants.keys():
        expression = expression.substituted(program.constants)
    calls = {name: _RANDOM[draw.distribution] for name, draw in program.draws.items()}
    plain = {name: Expression(_plain(name)) for name in expression.names - calls.keys()}
    return expression.substituted(plain | calls)


def _plain(name: str) -> str:
    return name.removeprefix(TEMPORARY).lstrip("_")
