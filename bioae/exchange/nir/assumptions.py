"""Assumptions of an import: what a NIR graph does not store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

import numpy as np

from bioae.exchange.nir.graphs import Ordered, Reset, Stage, kind_of_node
from bioae.exchange.nir.library import array_of
from bioae.networks.encoder_base import EncoderBase

_LOGGER = logging.getLogger("bioae")

_RESETS: dict[Reset, str] = {
    "zero": "to v_reset",
    "subtract": "by subtraction",
    "subtract_delayed": "by subtraction after the next leak",
}

#: The time step of snnTorch, with which the input gains that it writes are 1: ``r = tau/dt``.
_SNNTORCH_DT = 1e-4
_UNIT_GAINS = {"LIF": {"r": "tau"}, "CubaLIF": {"r": "tau_mem", "w_in": "tau_syn"}}
_DEFAULTS = {"v_threshold": 1.0, "v_leak": 0.0, "v_reset": 0.0}


def log_assumptions(
    order: Ordered, encoder: EncoderBase, dt: tuple[float, str], reset: Reset,
    late: Sequence[str],
) -> None:  # fmt: skip
    """Log the reset, the time step (in seconds, and as text) and the encoder, in one line.

    `late` names what arrives later than in the graph.
    """
    (seconds, text), amount = dt, encoder.amount
    scale = f" ({amount} {getattr(encoder, amount):g})" if amount else ""
    line = (
        f"NIR stores neither reset, time step nor encoder; here: reset {reset} ({_RESETS[reset]}), "
        f"dt {text}, encoder {encoder.model_dump()['kind']}{scale}"
    )
    differs = reset != "subtract_delayed" or abs(seconds / _SNNTORCH_DT - 1) > 1e-6
    if differs and all(map(_as_of_snntorch, order.stages)):
        line += (
            ". These neurons are as snnTorch writes them: its dt is 0.1*ms, and its default reset "
            "subtract_delayed"
        )
    if reset != "zero":
        line += ". NIR has no node for this reset: an export needs ignore_reset"
    if late:
        line += (
            f". A spike takes a step from one population to the next, so that it arrives "
            f"{', '.join(late)}: a Delay there would be exact"
        )
    _LOGGER.warning("%s", line)


def _as_of_snntorch(stage: Stage) -> bool:
    """Return whether neurons have the parameters that snnTorch writes, with a threshold of 1.

    A graph does not name its writer.
    """
    gains = _UNIT_GAINS.get(kind_of_node(stage.node), {})
    field = partial(array_of, stage.name, stage.node)
    return (
        bool(gains)
        and all(
            np.allclose(field(gain).ravel() * _SNNTORCH_DT, field(tau).ravel(), rtol=1e-5, atol=0)
            for gain, tau in gains.items()
        )
        and all((field(name) == value).all() for name, value in _DEFAULTS.items())
    )
