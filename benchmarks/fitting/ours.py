"""Fits of the cases by bioae."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

import bioae
from benchmarks.fitting.cases import DELTAS, SQUARE_MILLIVOLTS, Case
from benchmarks.fitting.clock import Clock
from bioae.equations.declarations import parameter_values

#: The likelihood of recorded spikes does not depend on it: it has the model's value.
_REFRACTORY = "t_ref"


@dataclass(frozen=True)
class Search:
    """`bioae.fit`.

    Attributes
    ----------
    starts
        The number of starts.
    delta
        The precision of the coincidence factor, for spikes: an index of `DELTAS`.
    """

    starts: int = 20
    delta: int | None = None


def search(case: Case, seed: int, settings: Search) -> dict[str, Any]:
    """Fit a case; first calls of one evaluation compile and give the time of the setup."""
    torch.set_num_threads(1)
    free = {**case.model.trainable, **case.signal}
    fixed = free.pop(_REFRACTORY, None) and float(parameter_values(case.model)[_REFRACTORY])
    options: dict[str, Any] = {"input": "I", "seed": seed, "progress": False}
    if settings.delta is not None:
        options["coincidence"] = DELTAS[settings.delta]
    once = {**options, "coincidence": None, "candidates": 1, "evaluations": 1, "starts": 1}
    clock = Clock()
    for _ in range(2):  # the second call compiles nothing
        bioae.fit(case.model, case.recording, free, **once)
        setup = clock.compile_ended()
    fit = bioae.fit(case.model, case.recording, free, starts=settings.starts, **options)
    evaluations = int(fit.starts.evaluations.sum())
    errors = fit.table.standard_error
    row: dict[str, Any] = {
        "parameters": {name: float(fit.parameters[name]) for name in free},
        "standard_errors": {name: float(errors.sel(parameter=name)) for name in free},
        "undetermined": len(fit.undetermined),
    }
    if fixed is not None:
        row["parameters"][_REFRACTORY] = fixed
    if case.recording.voltage is None:
        clock.tick(fit.loss, evaluations, setup=setup)
        return {**clock.row(), **row, "width": float(fit.parameters["width"])}
    per_loss = 2 * fit.voltage_noise**2 / case.recording.voltage.size * SQUARE_MILLIVOLTS
    clock.tick(fit.loss * per_loss, evaluations, setup=setup)
    return {**clock.row(), **row, "ends": (fit.starts.loss.to_numpy() * per_loss).tolist()}
