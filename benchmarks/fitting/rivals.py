"""Differential evolution by brian2modelfitting, with its least squares for potentials."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

import brian2
import numpy as np
from brian2 import amp, volt

from benchmarks.fitting.cases import DELTAS, SQUARE_MILLIVOLTS, Case
from benchmarks.fitting.clock import Clock


@dataclass(frozen=True)
class Evolution:
    """Settings of differential evolution.

    Attributes
    ----------
    rounds, samples
        The number of generations, and the requested size of one; Nevergrad uses at least 30.
    compiled
        Whether generations run in C++ (standalone mode), else in Cython, the default.
    delta
        The precision of the coincidence factor, the fitness for spikes: an index of `DELTAS`.
    """

    rounds: int
    samples: int
    compiled: bool = True
    delta: int = 1


def evolve(case: Case, seed: int, settings: Evolution) -> dict[str, Any]:
    """Fit a case by differential evolution."""
    import brian2modelfitting as rival

    brian2.BrianLogger.log_level_error()
    np.random.seed(seed)  # noqa: NPY002 - Nevergrad draws from it
    if settings.compiled:
        brian2.set_device("cpp_standalone", directory=tempfile.mkdtemp(), clean=False)
    potentials = case.recording.voltage is not None
    fitter = (_of_potentials if potentials else _of_spikes)(rival, case, settings)
    metric, scale = rival.MSEMetric(), SQUARE_MILLIVOLTS
    if not potentials:
        duration = case.recording.duration
        metric, scale = rival.GammaFactor(delta=DELTAS[settings.delta], time=duration), 1.0
    clock = Clock()
    found, _ = fitter.fit(
        n_rounds=settings.rounds, optimizer=rival.NevergradOptimizer("DE"), metric=metric,
        callback=lambda _, errors, __, best, *___: clock.tick(best * scale, len(errors)),
        **case.bounds,
    )  # fmt: skip
    clock.stage_ended()
    if potentials:
        found, _ = fitter.refine(
            callback=lambda _, errors, *__: clock.tick(float(np.sum(errors[-1])) * scale, 1),
            x_scale="jac",
        )
        clock.stage_ended()
    return {**clock.row(), "parameters": {n: float(value) for n, value in found.items()}}


def _of_potentials(rival: Any, case: Case, settings: Evolution) -> Any:
    data = case.recording
    return rival.TraceFitter(
        case.equations(), {"I": data.input * amp}, {"v": data.voltage * volt},
        **_shared(case, settings),
    )  # fmt: skip


def _of_spikes(rival: Any, case: Case, settings: Evolution) -> Any:
    data, model, signal, name = case.recording, case.model, None, "I"
    if case.signal:  # the fitter's own input has no latency
        signal, name = "gain*input_var(t - latency, 0) + offset + 0*level", "level"
    return rival.SpikeFitter(
        case.equations(signal), {name: data.input * amp}, [*(data.spikes or ())], input_var=None,
        threshold=model.threshold, reset=model.reset, refractory=model.refractory or False,
        **_shared(case, settings),
    )  # fmt: skip


def _shared(case: Case, settings: Evolution) -> dict[str, Any]:
    return {
        "dt": case.recording.dt, "n_samples": settings.samples, "method": case.model.method,
        "param_init": case.initial, "use_units": False,
    }  # fmt: skip
