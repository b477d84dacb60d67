"""The search for parameters: many starts at once, each by SciPy's trust-region least squares.

Loss, gradient and information are those of `Objective`: the information is that of Gauss and
Newton for potentials, of Fisher for spikes. All starts are evaluated together, in one pass over
the recording.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.stats.qmc import Sobol

from bioae.trainers.fitting.terms import Evaluate, Floats, Losses, Objective

#: Rates per ms at which the potential is pulled to the recorded one, in the stages of a search.
COUPLINGS = (100.0, 10.0, 1.0, 0.3, 0.1, 0.0)

#: Starts that end a stage within this distance in u go on as one.
_SAME = 1e-3

#: The relative change of the loss at which a stage ends, of all but the last stage.
_ROUGH = 1e-4

#: Rounds, samples of each, and the samples that the next round is drawn from; the widths in u.
_ROUNDS, _SAMPLES, _ELITE, _SPREAD = 15, 256, 32, (0.01, 0.2)

#: The least variance of samples in u.
_LEAST = 1e-9

#: Values of a refractory time between its bounds, and then between the neighbours of the best one.
_VALUES = 32

#: Directions of less information than this do not move, and their stiffness: both relative to the
#: largest.
_FLAT, _STIFF = 1e-14, 1e-6

#: The offset of the loss in units of that at the start, see `_search`.
_OFFSET = 10.0


@dataclass
class Descent:
    """The state of a search."""

    #: The initial u of each start (start, parameter).
    start: Floats
    #: The best so far (start, parameter), and its loss (start).
    u: Floats
    loss: Floats
    #: The number of evaluations of each start.
    evaluations: NDArray[np.int64]
    #: Where each start was at the beginning, and after each stage (stage, start, parameter).
    ends: Floats
    #: Whether each start used all its evaluations in the last stage (start).
    exhausted: NDArray[np.bool_]

    @classmethod
    def at(cls, points: Floats) -> Self:
        """Return a search that begins at points (start, parameter)."""
        count = len(points)
        loss, none = np.full(count, np.inf), np.zeros(count, bool)
        counts = np.zeros(count, np.int64)
        return cls(points, points.copy(), loss, counts, points[None].copy(), none)


def first_points(parameters: int, count: int, *, seed: int) -> Floats:
    """Return points of a scrambled Sobol sequence (point, parameter)."""
    points = Sobol(parameters, seed=seed).random_base2((count - 1).bit_length())
    return np.asarray(points[:count])


def screened(objective: Evaluate, points: Floats, starts: int) -> Floats:
    """Return the points of the smallest losses."""
    loss = np.nan_to_num(objective(points).total, nan=np.inf)
    return points[np.argsort(loss, kind="stable")[:starts]]


def descend(
    objective: Evaluate,
    state: Descent,
    *,
    couplings: Sequence[float] = (0.0,),
    most: int = 100,
    merge: bool = True,
    report: Callable[[int, float], None] = lambda *_: None,
) -> Descent:
    """Lower the loss of every start, in place.

    `couplings`: the rate per ms at which the potential is pulled to the recorded one in each stage.
    `most`: the most evaluations of a start in a stage.
    `merge`: whether starts that end a stage at about the same place go on as one.
    `report`: called with the number of finished stages, and the smallest loss of the present one.
    """
    for stage in range(len(couplings)):
        state.loss[:] = np.inf  # of another stage, it is not comparable
        if stage:
            state.u = _best_so_far(objective, state.ends, couplings[stage])
        first = _merged(state.u) if merge else [*range(len(state.u))]
        lanes = [*{*first}]
        last = stage == len(couplings) - 1

        def evaluate(lanes: list[int], u: Floats, stage: int = stage) -> list[Losses]:
            losses = objective(u, coupling=couplings[stage])
            state.evaluations[lanes] += 1
            better = losses.total < state.loss[lanes]
            for k in np.flatnonzero(better):
                state.loss[lanes[k]], state.u[lanes[k]] = losses.total[k], u[k]
            report(stage, float(np.min(state.loss)))
            return [Losses(*(each[k] for each in losses)) for k in range(len(lanes))]

        _search_all(evaluate, state, lanes, most, 1e-9 if last else _ROUGH)
        state.u, state.loss = state.u[first], state.loss[first]
        state.exhausted = state.exhausted[first]
        state.ends = np.concatenate([state.ends, state.u[None]])
    return state


def _best_so_far(objective: Evaluate, ends: Floats, coupling: float) -> Floats:
    """Return for each start the end of an earlier stage with the smallest loss in this one.

    A stage may lead away: noise that is coupled in changes the best parameters.
    """
    points = ends.reshape(-1, ends.shape[-1])
    first = np.array(_merged(points))
    lanes, inverse = np.unique(first, return_inverse=True)
    loss = np.nan_to_num(objective(points[lanes], coupling=coupling).total, nan=np.inf)
    best = np.argmin(loss[inverse].reshape(ends.shape[:2]), axis=0)
    return np.asarray(ends[best, np.arange(ends.shape[1])])


def _merged(u: Floats) -> list[int]:
    """Return for each start the first one at about the same place."""
    near = np.abs(u[:, None] - u[None]).max(-1) < _SAME
    return [int(np.argmax(row)) for row in near]


def _search_all(
    evaluate: Callable[[list[int], Floats], list[Losses]],
    state: Descent,
    lanes: Sequence[int],
    most: int,
    tolerance: float,
) -> None:
    """Search from several starts at once; their points are evaluated together."""
    together = _Together(evaluate, len(lanes))

    def search(lane: int) -> None:
        try:
            point = state.u[lane].copy()
            ended = _search(lambda u: together(lane, u), point, most, tolerance)
            state.exhausted[lane] = not ended
        finally:
            together.leave()

    if lanes:
        with ThreadPoolExecutor(len(lanes)) as pool:
            futures = [pool.submit(search, lane) for lane in lanes]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                together.stop()  # or an interrupt would wait for the end of the search
                raise


def most_coincident(
    objective: Objective,
    u: Floats,
    information: Floats,
    score: Callable[[NDArray[np.bool_]], Floats],
    *,
    seed: int,
) -> Floats:
    """Return parameters near the best one whose free run has the largest score (parameter).

    Normal samples, at first as wide as the errors of the fit, move to the best of them round by
    round (cross-entropy method: Rubinstein 1999, Methodology and Computing in Applied Probability
    1:127). A refractory time, which has no error, is at first anywhere between its bounds.

    `u` are the best parameters of several starts, the best first (start, parameter), at which the
    `information` is; `score` returns the scores of spikes (set, trial, time).
    """
    random = np.random.default_rng(seed)
    eigenvalues, vectors = np.linalg.eigh(information)
    widths = np.clip(1 / np.sqrt(np.maximum(eigenvalues, 1e-9)), *_SPREAD)
    mean, root = u[0], vectors * widths
    best, points = (-np.inf, u[0]), u
    stepped = [k for k, each in enumerate(objective.free) if each.step]
    for index in range(_ROUNDS):
        drawn = mean + random.standard_normal((_SAMPLES, len(mean))) @ root.T
        if not index:
            drawn[:, stepped] = random.random((_SAMPLES, len(stepped)))
        points = np.clip(np.concatenate([points, drawn]), 0.0, 1.0)
        scores = score(objective.predict(points)[0])
        order = np.argsort(-scores, kind="stable")[:_ELITE]
        if scores[order[0]] > best[0]:
            best = float(scores[order[0]]), points[order[0]]
        points = points[order]
        mean = points.mean(0)
        root = np.linalg.cholesky(
            np.cov(points.T).reshape(len(mean), -1) + _LEAST * np.eye(len(mean))
        )
    return np.asarray(best[1])


def _search(evaluate: Callable[[Floats], Losses], u: Floats, most: int, tolerance: float) -> bool:
    """Minimise a loss within 0 and 1; return whether it converged.

    Least squares see a residual of one number more than parameters, whose squared norm, gradient
    and Gauss-Newton matrix are those of the loss, to which a constant is added.
    """
    known: dict[bytes, tuple[Floats, Floats]] = {}
    offset: list[float] = []

    def residual(u: Floats) -> tuple[Floats, Floats]:
        key = u.tobytes()
        if key not in known:
            known.clear()
            at = evaluate(u)
            if not offset:
                offset.append(_OFFSET * max(abs(float(at.total)), 1.0))
            known[key] = _as_residual(at, offset[0])
        return known[key]

    inside = np.clip(u, 1e-9, 1 - 1e-9)
    if not np.isfinite(residual(inside)[0]).all():
        return True

    def values(u: Floats) -> Floats:
        return residual(u)[0]

    def jacobian(u: Floats) -> Floats:
        return residual(u)[1]

    with np.errstate(all="ignore"):  # of a loss that is flat
        found = least_squares(
            values, inside, jac=jacobian, bounds=(0.0, 1.0),
            ftol=tolerance / _OFFSET, xtol=1e-8, gtol=None, max_nfev=most,
        )  # fmt: skip
    return bool(found.status > 0)


def _as_residual(at: Losses, offset: float) -> tuple[Floats, Floats]:
    """Return a residual and its Jacobian with the loss, gradient and information of a point."""
    count, loss = len(at.gradient), float(at.total)
    if not (np.isfinite(loss) and np.isfinite(at.gradient).all()):
        return np.full(count + 1, np.nan), np.zeros((count + 1, count))
    eigenvalues, vectors = np.linalg.eigh(at.information)
    largest = max(float(eigenvalues[-1]), 1e-300)
    seen = eigenvalues > _FLAT * largest
    # Without curvature, the trust region would be filled along directions that change nothing.
    roots = np.sqrt(np.where(seen, eigenvalues, _STIFF * largest))
    jacobian = roots[:, None] * vectors.T
    with np.errstate(over="ignore"):  # of directions that are not seen
        reduced = np.where(seen, vectors.T @ at.gradient / roots, 0.0)
    square, whole = float(reduced @ reduced), 2 * (loss + offset)
    if square > whole:
        reduced, square = reduced * np.sqrt(whole / square), whole
    rest = np.sqrt(max(whole - square, 0.0))
    return np.append(reduced, rest), np.vstack([jacobian, np.zeros(count)])


class _Together:
    """Evaluates the points of several threads in one call, once all of them wait for theirs."""

    def __init__(self, evaluate: Callable[[list[int], Floats], list[Losses]], threads: int) -> None:
        self._evaluate, self._threads = evaluate, threads
        self._asked: dict[int, Floats] = {}
        self._answers: dict[int, Any] = {}
        self._changed, self._stopped = threading.Condition(), False

    def __call__(self, lane: int, u: Floats) -> Losses:
        """Return the result of a thread's point."""
        with self._changed:
            self._asked[lane] = u
            self._serve()
            self._changed.wait_for(lambda: lane in self._answers or self._stopped)
            if self._stopped:
                raise CancelledError
            answer = self._answers.pop(lane)
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    def leave(self) -> None:
        """Do not wait for this thread from now on."""
        with self._changed:
            self._threads -= 1
            self._serve()

    def stop(self) -> None:
        """Let all threads end, now or when they ask."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _serve(self) -> None:
        if self._stopped or not self._asked or len(self._asked) < self._threads:
            return
        lanes = sorted(self._asked)
        try:
            found: Sequence[Any] = self._evaluate(lanes, np.array([self._asked[k] for k in lanes]))
        except BaseException as error:  # noqa: BLE001 - every thread raises it
            found = [error] * len(lanes)
        self._asked.clear()
        self._answers.update(zip(lanes, found, strict=True))
        self._changed.notify_all()


def in_whole_steps(objective: Objective, state: Descent, *, most: int) -> Descent:
    """Return a search that goes on from its ends, with the best values of refractory times.

    All other parameters go downhill at each value, from those of the best start: a refractory time
    and a reset potential, say, are only determined together. All starts then have the best value.
    """
    u = state.u.copy()
    best = u[int(np.argmin(state.loss))]
    for k, each in enumerate(objective.free):
        if not each.step:
            continue
        low, high = 0.0, 1.0
        for _ in range(3):
            along = np.append(best[k], np.linspace(low, high, _VALUES))
            _, first = np.unique(each.value(along), return_index=True)
            points = np.repeat(best[None], len(first), axis=0)
            points[:, k] = along[first]
            ended = descend(objective, Descent.at(points), most=most, merge=False)
            best = ended.u[int(np.argmin(ended.loss))]
            width = (high - low) / (_VALUES - 1)
            low, high = max(best[k] - width, 0.0), min(best[k] + width, 1.0)
        u[:, k] = best[k]
    u[int(np.argmin(state.loss))] = best
    return replace(state, u=u, ends=u[None])
