"""One-step parity: the mirror restarted at every step from Brian2's state.

Spikes may depend on rounding, where the last bits of the state decide. A difference in such a spike
is excused if the states of both sides differ by that little too, and if there are no more of them
than distances that happen to be this small.
"""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammaincinv, pdtr  # importing scipy.stats takes half a second
from torch import Tensor

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.expressions import Expression
from bioae.networks.layer_base import ENCODER
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.noise import Key
from bioae.progress import counted
from bioae.simulation.presentations import Presentations
from bioae.trainers.mirror.functions import torch_functions
from bioae.trainers.mirror.layer import Emitted, LayerMirror
from bioae.trainers.mirror.network import NetworkMirror

#: Units in the last place of a comparison's larger side within which both outcomes are accepted.
ULPS = 4

#: The width of the band in which the density of distances is measured, in units of `ULPS`.
WIDER = 1024

#: The probability that a bound is exceeded by chance.
_RISK = 1e-4

Mask = NDArray[np.bool_]


class _Verdict(NamedTuple):
    """Masks of a condition: true for every, or for some outcome of its close comparisons."""

    surely: Mask
    perhaps: Mask


def explained(around: int) -> int:
    """Return the largest number of distances within `ULPS` that chance explains.

    `around` is the number of those beyond, and within `WIDER` times as much. The expected number is
    at most the upper limit of the mean of a Poisson variable that was observed as `around` (Garwood
    1936, Biometrika 28:437), over the ratio of the widths.
    """
    expected = gammaincinv(around + 1, 1 - _RISK) / (WIDER - 1)
    return next(n for n in itertools.count() if pdtr(n, expected) >= 1 - _RISK)


def same(a: NDArray[Any], b: NDArray[Any]) -> Mask:
    """Return a mask of numbers that differ by at most `ULPS` units in their last place."""
    return np.asarray(_close(a, b, ULPS) | (a == b))


def undecided(
    condition: Expression,
    values: Mapping[str, Tensor],
    shape: tuple[int, ...],
    ulps: float = ULPS,
) -> Mask:
    """Return a mask of neurons whose condition depends on comparisons equal up to rounding.

    Each comparison within `ulps` units in the last place of its larger side is evaluated as true
    and as false; the condition is undecided if its value, through ``and``, ``or`` and ``not``,
    depends on it.
    """
    verdict = _judge(condition.tree, values, ulps)
    return np.broadcast_to(verdict.perhaps & ~verdict.surely, shape)


def _judge(node: ast.expr, values: Mapping[str, Tensor], ulps: float) -> _Verdict:
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            first, *rest = (_judge(part, values, ulps) for part in parts)
            for part in rest:
                first = _Verdict(*(join(a, b) for a, b in zip(first, part, strict=True)))
            return first
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            surely, perhaps = _judge(operand, values, ulps)
            return _Verdict(~perhaps, ~surely)
        case ast.Compare(left=left, comparators=[right]):
            holds = _evaluate(node, values).astype(bool)
            sides = _evaluate(left, values), _evaluate(right, values)
            if bool in (sides[0].dtype, sides[1].dtype):
                return _Verdict(holds, holds)  # true and false are not close to each other
            close = _close(*sides, ulps)
            return _Verdict(holds & ~close, holds | close)
    holds = _evaluate(node, values).astype(bool)
    return _Verdict(holds, holds)


def _close(left: NDArray[Any], right: NDArray[Any], ulps: float) -> Mask:
    larger = np.maximum(np.abs(left), np.abs(right)).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(left - right) <= ulps * np.spacing(larger))


def _evaluate(node: ast.expr, values: Mapping[str, Tensor]) -> NDArray[Any]:
    function = compile_expression(Expression.of(node), torch_functions(torch.float64))
    return np.asarray(function(values))


#: The accepted difference of the states of a layer that never spikes, relative to the largest.
CLOSE = 1e-9


class OneStep(NamedTuple):
    """Numbers of (neuron, step) pairs.

    All of them; those that differ; those that differ within rounding, in distance and state; and
    those whose distance to threshold is small, but beyond rounding: see `explained`.
    """

    compared: int
    differing: int
    excused: int
    around: int

    @property
    def agreement(self) -> float:
        """The fraction of pairs that agree or are excused; 1 if a presentation has one step."""
        if not self.compared:
            return 1.0
        return 1.0 - (self.differing - self.excused) / self.compared


@torch.no_grad()
def one_step(network: Network, presentations: Presentations, brian: xr.DataTree) -> OneStep:
    """Predict each step from Brian2's state before it, and compare the spikes.

    In a layer that never spikes, states are compared instead, which may differ by `CLOSE`. Brian2's
    result must have every state recorded.
    """
    mirror = NetworkMirror(network, dtype=torch.float64)
    emitted = {ENCODER: torch.from_numpy(presentations.drive()).double()}
    total = OneStep(0, 0, 0, 0)
    layers = network.config.placed
    rasters = {each.name: torch.from_numpy(_raster(brian, each)) for each in layers}
    for each in layers:
        raster = rasters[each.name]
        emitted[each.name] = raster.double().reshape(*raster.shape[:2], *each.shape)
    with counted("steps from Brian2's states", len(layers), unit="layers") as report:
        for done, placed in enumerate(layers, 1):
            layer = mirror.layers[placed.name]
            assert isinstance(layer, LayerMirror)
            spikes = rasters[placed.name]
            restart = _Restart(layer, presentations.key(), network.config.dt_seconds)
            found = restart(emitted, spikes, brian[f"/layers/{placed.name}"])
            total = OneStep(*(a + b for a, b in zip(total, found, strict=True)))
            report(done)
    return total


def _raster(result: xr.DataTree, placed: PlacedLayer) -> NDArray[np.bool_]:
    """Return a layer's spikes (time, example, neuron)."""
    data = result[f"/layers/{placed.name}"]
    steps = int(result.attrs["steps"])
    spikes = np.zeros((steps, result.sizes["example"], placed.size), dtype=bool)
    step = np.rint(np.asarray(data["spike_time_ms"]) / result.attrs["dt_ms"]).astype(np.int64)
    example = result.indexes["example"].get_indexer(np.asarray(data["spike_example"]))
    spikes[step, example, np.asarray(data["spike_neuron"])] = True
    return spikes


class _Restart:
    """All steps of a layer but the first, as one batch (step and example)."""

    def __init__(self, layer: LayerMirror, key: Key, dt: float) -> None:
        self._layer = layer
        self._placed = layer.placed
        self._key = key
        self._dt = dt

    def __call__(self, emitted: Emitted, spikes: Tensor, states: Any) -> OneStep:
        """Predict each step, and count the predictions that are wrong."""
        neuron, condition = self._layer.neuron, self._layer.neuron.program.condition
        before = self._before(spikes, states)
        arriving, shape = self._arriving(emitted, spikes), before["_spike"].shape
        if not math.prod(shape):
            return OneStep(0, 0, 0, 0)
        if condition is None:
            values = dict(before)
            neuron.step(values, arriving)
            return OneStep(math.prod(shape), int(self._differ(values, states).sum()), 0, 0)
        bands: list[NDArray[np.bool_]] = []

        def look(values: dict[str, Tensor]) -> None:
            bands.extend(
                undecided(condition, values, shape, width) for width in (ULPS, WIDER * ULPS)
            )

        values = dict(before)
        neuron.step(values, arriving, at_threshold=look)
        actual = spikes[1:].reshape(shape)
        wrong = (values["_spike"].bool() != actual).numpy()
        close, near = bands
        excused = wrong & close
        if excused.any():
            values = dict(before)
            neuron.step(values, arriving, fired=actual)
            excused &= self._agree(condition.names, values, states)
        counts = (wrong, excused, near & ~close)
        return OneStep(wrong.size, *(int(mask.sum()) for mask in counts))

    def _agree(
        self, names: Collection[str], values: dict[str, Tensor], states: Any
    ) -> NDArray[np.bool_]:
        """Return a mask of steps that end in Brian2's state, up to rounding, after its spikes."""
        agree = np.ones(values["_spike"].shape, dtype=bool)
        for name, state in self._layer.neuron.program.states.items():
            if name in names and state.dtype == "float":
                after = self._after(states, name)
                agree &= same(np.broadcast_to(values[name].numpy(), after.shape), after)
        return agree

    def _differ(self, values: dict[str, Tensor], states: Any) -> NDArray[np.bool_]:
        """Return a mask of steps that end in another state than Brian2's."""
        differ = np.zeros(values["_spike"].shape, dtype=bool)
        for name in self._layer.neuron.program.states:
            after = self._after(states, name).astype(np.float64)
            predicted = np.broadcast_to(values[name].double().numpy(), after.shape)
            finite = np.abs(after[np.isfinite(after)])
            most = CLOSE * finite.max() if finite.size else 0.0
            differ |= ~np.isclose(predicted, after, rtol=0, atol=most, equal_nan=True)
        return differ

    def _after(self, states: Any, name: str) -> NDArray[Any]:
        """Return Brian2's state at the end of each step but the first (step and example, ...)."""
        recorded: NDArray[Any] = states[f"state_{name}"].to_numpy()[:, 1:].swapaxes(0, 1)
        return recorded.reshape(-1, *self._placed.shape)

    def _before(self, spikes: Tensor, states: Any) -> dict[str, Tensor]:
        neuron, shape = self._layer.neuron, self._placed.shape
        steps, examples = spikes.shape[:2]
        rows = self._key.tiled(steps - 1)
        values = neuron.start((steps - 1) * examples, rows)
        values |= neuron.noise(self._key, range(1, steps), values["_spike"])
        for name, state in neuron.program.states.items():
            # (example, time, neuron); shared variables are repeated for all neurons.
            recorded = states[f"state_{name}"].to_numpy()[:, :-1].swapaxes(0, 1).copy()
            before = torch.from_numpy(recorded).reshape(-1, *shape).to(values[name].dtype)
            values[name] = (
                before[(slice(None), *([slice(1)] * len(shape)))] if state.shared else before
            )
        values["_spike"] = spikes[:-1].reshape(-1, *shape).double()
        values["_fired"] = values["_spike"].bool()
        clock = torch.arange(1, steps, dtype=torch.float64) * self._dt
        values["t"] = clock.repeat_interleave(examples).reshape(-1, *(1 for _ in shape))
        return values

    def _arriving(self, emitted: Emitted, spikes: Tensor) -> dict[str, Tensor]:
        fired = spikes.double().reshape(*spikes.shape[:2], *self._placed.shape)
        arrived = self._layer.arrived(emitted, fired, self._key)
        return {name: tensor[1:].flatten(0, 1) for name, tensor in arrived.items()}
