"""The mirror near a presentation, with spikes that change in proportion to the distance.

Differences of a spiking network are 0 almost everywhere, and its gradient is that of another
function, which this is. In the first run, the *base*, it has the values of the mirror. In others,
whatever has no gradient (conditions, firing included, and detached values) is that of the base; a
spike differs from the base's by the spike derivative times the difference of the distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bioae.trainers.mirror.derivatives import spike
from bioae.trainers.mirror.functions import straight_through
from bioae.trainers.mirror.gradients import attached_write
from bioae.trainers.mirror.spike_times import moved, shifted

_Arguments = tuple[Any, ...]


def linearised(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Return the function that the gradient of an uncompiled mirror's run differentiates.

    The base are the weights and the input at the time of this call.
    """
    mode = _Linearised()

    def nearby() -> Tensor:
        with torch.no_grad(), mode:
            return run()

    nearby()
    return nearby


class _Linearised(TorchFunctionMode):
    """Linearise a mirror within ``with`` blocks of one run each, the first of which is the base."""

    def __init__(self) -> None:
        super().__init__()
        self._base: dict[Callable[..., Any], list[_Arguments]] = {}
        self._repeated: dict[Callable[..., Any], Iterator[_Arguments]] = {}

    def __enter__(self) -> Self:
        self._repeated = {function: iter(calls) for function, calls in self._base.items()}
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run one of PyTorch's functions, or of those with another gradient."""
        linear = _LINEAR.get(func)
        if linear is None:
            return func(*args, **(kwargs or {}))
        if func in self._repeated:
            return linear(next(self._repeated[func]), args)
        base = tuple(each.detach() if isinstance(each, Tensor) else each for each in args)
        self._base.setdefault(func, []).append(base)
        return linear(base, args)


def _spike(base: _Arguments, now: _Arguments) -> Tensor:
    threshold, distance, scale, rule = base
    spikes = threshold.to(distance.dtype)
    slope = rule(distance.expand_as(threshold), scale, spikes)
    linear: Tensor = spikes + slope * (now[1] - distance)
    return linear


def _written(_: _Arguments, now: _Arguments) -> Tensor:
    _, weight, value, old = now
    written: Tensor = old + weight * (value - old)
    return written


def _shifted(base: _Arguments, now: _Arguments) -> Tensor:
    crossed, distance, rise = base
    return torch.where(crossed, (distance - now[1]) / rise, 0)


#: Functions of the arguments in the base and now.
_LINEAR: dict[Callable[..., Any], Callable[[_Arguments, _Arguments], Any]] = {
    spike: _spike,
    attached_write: _written,
    shifted: _shifted,
    moved: lambda base, now: now[0] + base[2] * now[1],
    straight_through: lambda base, now: base[1] + (now[0] - base[0]),
    torch.Tensor.detach: lambda base, _: base[0],
    # Whether neurons fire, expanded to all of them.
    torch.Tensor.expand_as: lambda base, now: torch.Tensor.expand_as(
        *(base if base[0].dtype == torch.bool else now)
    ),
}
