"""Fits of the cases by bioae."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

import bioae
from benchmarks.fitting.cases import DELTAS, SQUARE_MILLIVOLTS, Case
from benchmarks.fitting.clock import Clock


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
    """Fit a case; first calls compile, and give the time of the setup."""
    torch.set_num_threads(1)
    free = {**case.model.trainable, **case.signal}
    options: dict[str, Any] = {"input": "I", "seed": seed, "progress": False}
    if settings.delta is not None:
        options["coincidence"] = DELTAS[settings.delta]
    once = {**options, "coincidence": None, "candidates": 1, "evaluations": 1, "starts": 1}
    clock = Clock()
    bioae.fit(case.model, case.recording, free, **once)
    clock.compile_ended()
    bioae.fit(case.model, case.recording, free, **once)
    setup = clock.skip()
    fit = bioae.fit(case.model, case.recording, free, starts=settings.starts, **options)
    voltage, per_loss = case.recording.voltage, 1.0
    if voltage is not None:
        per_loss = 2 * fit.voltage_noise**2 / voltage.size * SQUARE_MILLIVOLTS
    clock.tick(fit.loss * per_loss, int(fit.starts.evaluations.sum()), setup=setup)
    row = {**clock.row(), **_answer(fit, free)}
    if voltage is None:
        row["width"] = float(fit.parameters["width"])
    else:
        row["ends"] = (fit.starts.loss.to_numpy() * per_loss).tolist()
    return row


def _answer(fit: Any, free: Iterable[str]) -> dict[str, Any]:
    errors = fit.table.standard_error
    return {
        "parameters": {name: float(fit.parameters[name]) for name in free},
        "standard_errors": {name: float(errors.sel(parameter=name)) for name in free},
        "undetermined": len(fit.undetermined),
    }
