"""The search for a refractory time, which acts in whole steps and so has no gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioae.trainers.fitting.search import Descent, descend
from bioae.trainers.fitting.terms import Objective

#: Values between the bounds, and then between the neighbours of the best one.
_VALUES = 32


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
    return replace(state, u=u, stage=0, ends=u[None])
