"""Modulators of rules for presentations: numbers that the user gives, and the task's targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bioae.equations.synapses.model import TARGET
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.networks.plasticity import Held, check_held, rules_of
from bioae.networks.tasks import Classification
from bioae.simulation.presentations import Presentations


def modulators(
    config: NetworkConfig, held: Held | None, presented: Presentations
) -> dict[str, NDArray[np.float64]]:
    """Return the modulators of the rules of a network, and the targets that they read.

    Targets are (presentation, step, neuron), of one step where the task is not in time.
    """
    values = check_held(config.placed, held, len(presented))
    last = config.placed[-1]
    if not any(rule.reads_target for rule in rules_of(last).values()):
        return values
    data, task = presented.data, config.task
    known = np.asarray(task.target_of(data, config.steps), np.float64)
    if isinstance(task, Classification):
        known = (known[:, None] == np.arange(task.classes)).astype(np.float64)
    known = known.reshape(len(data), config.steps if task.in_time else 1, -1)
    if known.shape[-1] != last.size:
        raise NetworkError(
            "a rule reads the target of each neuron of the last layer",
            where=f"layer {last.name!r}", expected=f"{known.shape[-1]} neurons",
            found=str(last.size),
        )  # fmt: skip
    return values | {TARGET: np.repeat(known, presented.repeats, axis=0)}
