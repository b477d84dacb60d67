"""The operation of a neuron model that made a number or a derivative that is not finite.

A training step does not look for it; one that ends in NaN is run again with a look at every
operation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bioae.equations.arrays.stepping import SOURCE, STATEMENTS
from bioae.equations.program import TEMPORARY, Statement
from bioae.trainers.mirror.layer import LayerMirror
from bioae.trainers.mirror.network import NetworkMirror

__all__ = ["Culprit", "first_not_finite"]

_SYMBOLS = {
    "truediv": "/", "div": "/", "rtruediv": "/", "rdiv": "/", "pow": "**", "rpow": "**",
    "mul": "*", "rmul": "*", "add": "+", "radd": "+", "sub": "-", "rsub": "-", "rdivide": "/",
}  # fmt: skip

_MEND = {
    "sqrt": "Add a small number under the root, as in sqrt(x + 1e-9)",
    "**": "Keep the base of the power away from 0, for instance with clip(x, 1e-9, 1e9)",
    "/": "Keep the divisor away from 0, for instance by adding a small number to it",
    "exp": "Bound the argument, as in exp(clip(x, -50, 50))",
    **dict.fromkeys(("log", "log10", "log1p"), "Keep the argument above 0, with clip"),
    **dict.fromkeys(("arcsin", "arccos"), "Keep the argument inside -1 to 1, with clip"),
}


class Culprit(NamedTuple):
    """The first operation whose result, or whose derivative, is not finite.

    Attributes
    ----------
    layer, model
        The layer, and its neuron model.
    statement
        The statement that contains the operation.
    function
        The function or operator.
    derivative
        Whether its derivative is not finite; else its result.
    """

    layer: str
    model: str
    statement: Statement
    function: str
    derivative: bool

    @property
    def variable(self) -> str | None:
        """The variable that the statement writes; None in the threshold."""
        name = self.statement.target.removeprefix(TEMPORARY).lstrip("_")
        return None if self.statement.target == "_value" else name

    def __str__(self) -> str:
        what = "derivative" if self.derivative else "result"
        place = "the threshold" if self.variable is None else f"the variable {self.variable!r}"
        return (
            f"layer {self.layer}, neuron model {self.model!r}, {place}: "
            f"the {what} of {self.function!r} in {str(self.statement.value)!r} is not finite"
        )

    @property
    def mend(self) -> str | None:
        """The change of the model that keeps it finite; None if it is that of no function."""
        return _MEND.get(self.function)


def first_not_finite(mirror: NetworkMirror, loss: Callable[[], Tensor]) -> Culprit | None:
    """Return the operation of a neuron model that first made a number that is not finite.

    Parameters
    ----------
    mirror
        The mirror; the gradients of its weights are reset.
    loss
        Runs the mirror and returns the loss.

    Returns
    -------
    Culprit or None
        None if all operations of the neuron models are finite, forward and backward.
    """
    watch = _Watch()
    with ExitStack() as stack:
        for layer in mirror.layers.values():
            assert isinstance(layer, LayerMirror)
            stack.enter_context(layer.uncompiled())
            entering = layer.register_forward_pre_hook(lambda each, _: watch.enter(each))
            stack.callback(entering.remove)
        with torch.enable_grad(), watch:
            value = loss()
        if watch.result is None:
            value.backward()  # type: ignore[no-untyped-call]
    mirror.zero_grad()
    return watch.result or watch.derivative or watch.infinite


class _Watch(TorchFunctionMode):
    """Look at the result and the derivative of each operation in a statement of a model.

    Infinity by itself is no failure: a comparison may turn it into a finite number again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.result: Culprit | None = None
        self.infinite: Culprit | None = None
        self.derivative: Culprit | None = None
        self._layer: LayerMirror | None = None

    def enter(self, layer: Any) -> None:
        """Remember the layer that runs."""
        self._layer = layer

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run one of PyTorch's functions."""
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and self.result is None:
            self._look(func, args, result)
        return result

    def _look(self, func: Callable[..., Any], args: Any, result: Tensor) -> None:
        statement = _statement()
        if statement is None or self._layer is None:
            return
        name = getattr(func, "__name__", "").strip("_")
        placed = self._layer.placed
        culprit = Culprit(
            placed.name, placed.model.name, statement, _SYMBOLS.get(name, name), derivative=False
        )
        if not result.isfinite().all() and _finite(args):
            if result.isnan().any():
                self.result = self.infinite or culprit
            self.infinite = self.infinite or culprit
        elif result.isnan().any() and self.infinite is not None:
            self.result = self.infinite
        if result.grad_fn is not None:
            self._follow(result.grad_fn, culprit._replace(derivative=True))

    def _follow(self, node: Any, culprit: Culprit) -> None:
        def look(to: tuple[Tensor | None, ...], come: tuple[Tensor | None, ...]) -> None:
            if self.derivative is None and _finite(come) and not _finite(to):
                self.derivative = culprit

        node.register_hook(look)


def _finite(values: Iterable[Any]) -> bool:
    return all(bool(each.isfinite().all()) for each in values if isinstance(each, Tensor))


def _statement() -> Statement | None:
    """Return the statement of a neuron model that is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != SOURCE:
        frame = frame.f_back
    statement: Statement | None = frame and frame.f_globals[STATEMENTS][frame.f_lineno - 1]
    return statement
