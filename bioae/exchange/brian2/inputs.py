"""Input of a Brian2 script: the spikes of its sources, as frames of numbers in each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from brian2 import PoissonGroup, PoissonInput, SpikeGeneratorGroup, TimedArray, second
from brian2.core.namespace import DEFAULT_UNITS
from brian2.utils.stringtools import get_identifiers
from numpy.typing import NDArray

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.expressions import Expression
from bioae.errors import InputError
from bioae.simulation.brian2_internals.scripts import (
    generated_spikes,
    poisson_rates,
    target_of,
)

#: Sources of input. A Poisson input has as many neurons as its target.
INPUTS = (PoissonGroup, SpikeGeneratorGroup, PoissonInput)

#: The largest size of frames, in numbers.
_LARGEST = 200_000_000


def size(source: Any) -> int:
    """Return the number of neurons of a source."""
    return len(target_of(source) if isinstance(source, PoissonInput) else source)


def constant_rates(
    source: Any, dt: float, namespace: Mapping[str, Any]
) -> NDArray[np.float64] | None:
    """Return the rate of each neuron (hertz) of a Poisson group; None where they change."""
    if not isinstance(source, PoissonGroup):
        return None
    given = poisson_rates(source)
    if isinstance(given, str) and "t" in get_identifiers(given):
        return None
    return np.broadcast_to(rates(source, 1, dt, namespace), len(source))


def frames(
    sources: Sequence[Any], steps: int, dt: float, namespace: Mapping[str, Any], seed: int
) -> NDArray[np.float64]:
    """Return the spikes of some sources (1, step, neuron); those of Poisson sources are drawn."""
    neurons = max(sum(map(size, sources)), 1)
    if steps * neurons > _LARGEST:
        raise InputError(
            "the input is too large", where="from_brian2",
            expected=f"at most {_LARGEST:,} numbers", found=f"{steps:,} steps of {neurons:,}",
            hint="Convert a shorter run",
        )  # fmt: skip
    found, first = np.zeros((1, steps, neurons)), 0
    generator = np.random.default_rng(seed)
    for each in sources:
        block = found[0, :, first : first + size(each)]
        if isinstance(each, PoissonInput):
            block[:] = generator.binomial(each.N, float(each.rate) * dt, block.shape)
        elif isinstance(each, PoissonGroup):
            block[:] = generator.random(block.shape) < dt * rates(each, steps, dt, namespace)
        else:
            np.add.at(block, _fired(each, steps, dt), 1.0)
        first += size(each)
    return found


def _fired(source: Any, steps: int, dt: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the steps of a generator's spikes, and their neurons."""
    times, neuron = generated_spikes(source)
    step = np.floor((times + 1e-3 * dt) / dt).astype(np.int64)
    period = source.variables["period"].get_value().item()
    if 0 < period < steps * dt:
        starts = np.arange(0, steps, round(period / dt))
        step, neuron = (starts[:, None] + step).ravel(), np.tile(neuron, len(starts))
    inside = step < steps
    return step[inside], neuron[inside]


def rates(source: Any, steps: int, dt: float, namespace: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the rates of a Poisson group (hertz) in each step, or those of all steps."""
    given = poisson_rates(source)
    if not isinstance(given, str):
        return np.asarray(given, float)
    expression = Expression(given)
    values: dict[str, Any] = {"dt": dt, "t": np.arange(steps)[:, None] * dt}
    values |= {"i": np.arange(len(source)), "N": len(source)}
    functions = dict(array_functions(np))
    namespace = {**namespace, **(source.namespace or {})}
    for name in get_identifiers(expression.text) - functions.keys() - values.keys():
        value = namespace.get(name, DEFAULT_UNITS.get(name))
        if isinstance(value, TimedArray):
            functions[name] = lambda t, *i, array=value: np.asarray(array(t * second, *i))
        elif value is not None and np.ndim(value) == 0 and not callable(value):
            values[name] = float(value)
        else:
            raise InputError(
                "rates depend on what is no constant", where=str(source.name), found=name,
                expected="t, i, numbers, quantities and TimedArrays",
            )  # fmt: skip
    return np.asarray(compile_expression(expression, functions)(values), float)
