"""Spike times from users, with or without a unit, in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bioae.checks import array
from bioae.errors import DataError, shortened
from bioae.units import has_unit, in_ms


def spike_trains(spikes: Any, where: str) -> tuple[NDArray[np.float64], ...]:
    """Return sorted spike times in seconds: of one array, or of each array of a list or mapping.

    Times are quantities, as for `in_ms`, or numbers in seconds.
    """
    if isinstance(spikes, Mapping):  # `spike_trains` of Brian2's monitors
        spikes = [spikes[number] for number in sorted(spikes)]
    several = isinstance(spikes, list | tuple) and any(np.ndim(each) for each in spikes)
    return tuple(
        _train(each, f"{where}, trial {trial}" if several else where)
        for trial, each in enumerate(spikes if several else [spikes])
    )


def _train(times: Any, where: str) -> NDArray[np.float64]:
    known, what = has_unit(times, attributes=True), f"{where}: times do not fit"
    numbers = in_ms(times, where) if known else times
    if hasattr(times, "dim"):
        known, numbers = False, np.asarray(times)  # Brian2's are in seconds, without rounding
    bare = array(numbers, what, error=DataError)
    if bare.ndim != 1:
        found = shortened(f"shape {bare.shape}")
        raise DataError("times do not fit", where=where, expected="(spike,)", found=found)
    ordered: NDArray[np.float64] = np.sort(bare / 1e3 if known else bare)
    return ordered
