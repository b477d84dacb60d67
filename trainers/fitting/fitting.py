"""Fits of a neuron model's parameters to a recording."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from bioae.analysis import coincidence_factor
from bioae.checks import number
from bioae.equations.library import NeuronLike
from bioae.equations.model import mentions
from bioae.errors import InputError, LibraryError
from bioae.progress import Progress, bar, check_progress
from bioae.recordings import Recording
from bioae.trainers.fitting.answer import Fit
from bioae.trainers.fitting.objective import CompiledObjective
from bioae.trainers.fitting.problem import Free, Problem, problem
from bioae.trainers.fitting.search import (
    COUPLINGS,
    Descent,
    descend,
    first_points,
    in_whole_steps,
    most_coincident,
    screened,
)
from bioae.trainers.fitting.settings import FitOptions, Settings, number_in
from bioae.trainers.fitting.terms import WIDTH, Floats, Objective
from bioae.trainers.mirror.compiled.unsupported import Unsupported

#: The width of the noise from which a search starts, as a fraction of the way between its bounds.
_WIDE = 0.94


def search(
    neuron: NeuronLike,
    recording: Recording,
    free: Free,
    *,
    place: str | None,
    voltage: str | None,
    starts: int,
    seed: int,
    progress: Progress | bool | None,
    **options: Unpack[FitOptions],
) -> Fit:
    """Search the parameters of a neuron model on a recording, see `bioae.fit`."""
    settings = Settings.read(options, starts=starts, seed=seed)
    check_progress(progress)
    stated = problem(neuron, recording, free, place=place, voltage=voltage, settings=settings)
    given, noise = settings.voltage_noise, 1e-3
    if given is not None:
        unit = stated.potential_unit
        noise = number(number_in(given, unit, "voltage_noise"), "voltage_noise", above=0)
    drive = stated.drive()
    lapse = settings.lapse if drive.chance is not None and stated.weights[0] else 0.0
    objective = CompiledObjective(
        stated.driven, stated.free, drive, potential=stated.potential,
        fixed=stated.fixed, weights=stated.weights, voltage_noise=noise, lapse=lapse,
    )  # fmt: skip
    try:
        objective.kernel  # noqa: B018 - compiled before the clock starts
    except Unsupported as reason:
        raise LibraryError(
            f"neuron model {stated.model.name!r} cannot be fitted: {reason}",
            hint="A fit needs a C++ compiler, and a model without noise",
        ) from reason
    began = time.perf_counter()
    couplings = COUPLINGS if settings.coupled and stated.voltage else (0.0,)
    state = Descent.at(_first(stated, objective, settings))
    state = _descended(objective, state, couplings, settings.evaluations, progress=progress)
    _leave_plateau(objective, state, settings.evaluations)
    if any(each.step for each in stated.free):
        state = in_whole_steps(objective, state, most=settings.evaluations)
        state = _descended(objective, state, (0.0,), settings.evaluations, progress=False)
    if stated.voltage and given is None:
        # The noise is that of the residuals of the best fit.
        lowest = objective(state.u[[int(np.argmin(state.loss))]])
        noise *= float(np.sqrt(2 * lowest.voltage[0] / objective.drive.compared_samples))
        objective = objective.with_noise(max(noise, 1e-12))
        state = replace(state, loss=objective(state.u).total, ends=state.u[None])
        if stated.spikes and stated.weights[0] > 0:  # the weight of the voltage is another one
            state = _descended(objective, state, (0.0,), settings.evaluations, progress=False)
    order = np.argsort(state.loss, kind="stable")
    best = state.u[order[0]]
    if settings.coincidence is not None:
        best = _coincident(stated, objective, state.u[order], settings)
    _say(stated, objective, state, int(order[0]))
    seconds = time.perf_counter() - began
    return Fit(
        stated, objective, state, best, voltage_noise=noise,
        estimated=stated.voltage and given is None, seconds=seconds,
    )  # fmt: skip


def _coincident(stated: Problem, objective: Objective, u: Floats, settings: Settings) -> Floats:
    """Return the parameters near the best of `u`, the first, with the most coincidences."""
    recorded = stated.recording.spikes
    if recorded is None or not stated.spikes:
        raise InputError("there are no spikes to coincide with", where=stated.recording.name)
    delta = settings.coincidence
    dt, length = float(stated.recording.dt), float(stated.recording.duration)

    def score(fired: NDArray[np.bool_]) -> Floats:
        return np.array([
            coincidence_factor(
                recorded, [np.flatnonzero(row) * dt for row in each], delta=delta, duration=length
            )
            for each in fired
        ])  # fmt: skip

    return most_coincident(objective, u, objective(u[:1]).information[0], score, seed=settings.seed)


def _say(stated: Problem, objective: CompiledObjective, state: Descent, best: int) -> None:
    """Warn of spikes that do not count, and of a search that was not finished."""
    logger, name = logging.getLogger("bioae"), stated.model.name
    lost = int(objective(state.u[[best]]).lost[0])
    if lost:
        logger.warning(
            "bioae: %s: %d recorded spikes are in the refractory period of the fitted neuron: %s",
            name, lost, "their intervals are lapses" if objective.lapse else "they do not count",
        )  # fmt: skip
    if state.exhausted[best]:
        logger.warning(
            "bioae: %s: the best start used all its evaluations: fit again with more of them", name
        )


def _first(stated: Problem, objective: CompiledObjective, settings: Settings) -> Floats:
    """Return the points of a sequence from which the search starts (start, parameter)."""
    candidates, starts = settings.candidates, settings.starts
    points = first_points(len(stated.free), candidates, seed=settings.seed)
    for k, each in enumerate(stated.free):
        if each.name == WIDTH:
            points[:, k] = _WIDE + (1 - _WIDE) * points[:, k]
    # Far from the best parameters all intervals are lapses, which do not depend on any.
    _check_seen(stated, objective.without_lapses(), points[: 2 * starts])
    return points if candidates == starts else screened(objective, points, starts)


def _descended(
    objective: Objective,
    state: Descent,
    couplings: tuple[float, ...],
    evaluations: int,
    *,
    progress: Progress | bool | None,
) -> Descent:
    stages, show = len(couplings), None if callable(progress) else progress
    with bar("fitting", stages, show=show, unit="stages") as shown:

        def report(done: int, loss: float) -> None:
            if shown is not None:
                shown.reach(done, notes={"loss": f"{loss:.6g}"})
            if callable(progress):
                progress(done, stages)

        return descend(objective, state, couplings=couplings, most=evaluations, report=report)


def _leave_plateau(objective: CompiledObjective, state: Descent, evaluations: int) -> None:
    """Search again without lapses, and then with them, where most intervals are lapses, in place.

    The loss does not depend on any parameter there.
    """
    if objective.drive.spikes is None:
        return
    most = objective.drive.spikes.sum() / 2
    (lapsed,) = np.nonzero(objective(state.u).lapses[:, :, 0].sum(1) > most)
    if not lapsed.size:
        return
    again = descend(objective.without_lapses(), Descent.at(state.u[lapsed]), most=evaluations)
    again = descend(objective, Descent.at(again.u), most=evaluations)
    better = again.loss < state.loss[lapsed]
    state.u[lapsed[better]], state.loss[lapsed[better]] = again.u[better], again.loss[better]
    state.evaluations[lapsed] += again.evaluations
    state.ends = state.u[None]


def _check_seen(stated: Problem, objective: Objective, points: Any) -> None:
    """Reject free parameters that change nothing of what is compared."""
    losses = objective(points)
    finite = np.isfinite(losses.total)
    if not finite.any():
        raise InputError(
            "the loss is not finite anywhere within the bounds", where=stated.model.name,
            hint="Narrow the bounds, or use a smaller step: recording.resampled",
        )  # fmt: skip
    unseen = ~(np.abs(losses.gradient[finite]) > 0).any(0)
    for k, each in enumerate(stated.free):
        if each.step:  # there is no gradient
            other = points.copy()
            other[:, k] = 1 - other[:, k]
            unseen[k] = bool((objective(other).total == losses.total)[finite].all())
    if unseen.any():
        names = [name for name, none in zip(stated.names, unseen, strict=True) if none]
        if stepped := [n for n in names if mentions(n, stated.model.refractory or "")]:
            raise InputError(
                f"{', '.join(stepped)}: a condition of refractoriness has no gradient",
                where=stated.model.name, expected="a refractory time, in seconds",
                hint="Give it a value: model.with_parameters",
            )  # fmt: skip
        unused_input = "" if stated.place is not None else (
            ". The input arrives as spikes do: give it a unit, or name its variable, input=..."
        )  # fmt: skip
        raise InputError(
            f"the recording does not depend on {', '.join(names)}", where=stated.model.name,
            expected="free parameters that change the spikes or the voltage",
            hint="Leave them out of `free`" + unused_input,
        )  # fmt: skip
