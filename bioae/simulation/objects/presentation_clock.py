"""Which step of which presentation a group of neurons is at, as Brian2 code."""

from __future__ import annotations

from bioae.equations.model import RESERVED_PREFIX
from bioae.networks.schedule import Timing

__all__ = ["PRESENTATION", "STEP", "clock_code"]

#: The shared variables of a group that say so.
STEP = f"{RESERVED_PREFIX}step"
PRESENTATION = f"{RESERVED_PREFIX}presentation"


def clock_code(timing: Timing, depth: int) -> str:
    """Return the code that sets both, at the beginning of each step.

    Parameters
    ----------
    timing
        Where presentations lie in the run.
    depth
        The layer's depth in the network; the input's is 0.
    """
    period = timing.period
    lead_in = timing.schedule.lead_in if depth else 0
    # A dividend that is never negative: targets differ in what they make of one.
    late, offset = -(-timing.start(depth) // period), -timing.start(depth) % period
    return (
        f"{PRESENTATION} = (t_in_timesteps + {offset})//{period} - {late}\n"
        f"{STEP} = (t_in_timesteps + {offset}) % {period} - {lead_in}"
    )
