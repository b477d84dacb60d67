"""Random models of the whole language: the mirror's spikes in Brian2, and its compiled steps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from generated_cases import SLOW_TO_DRAW, check, states_needed
from generated_models import cases, make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import compare, needs_compiler

from bioae import simulate
from bioae.simulation.backend import Backend

pytestmark = pytest.mark.slow

#: What is left to the mirror that is not compiled.
LEFT = {
    "noise": ("none",), "delay": ("none", "homogeneous"),
    "variable": ("none", "integer", "boolean", "per_neuron"),
}  # fmt: skip


@st.composite
def compilable(draw: st.DrawFn) -> Any:
    return make(lambda a, o: draw(st.sampled_from([c for c in o if c in LEFT.get(a, o)])))


@settings(max_examples=150, **SLOW_TO_DRAW)
@given(cases())
def test_on_numpy(case: Any) -> None:
    backend = Backend("numpy", record=states_needed(case))
    check(case, simulate(case.network, case.images, backend))


@needs_compiler
@settings(max_examples=120, suppress_health_check=[*HealthCheck])
@given(compilable(), st.booleans())
def test_compiled(case: Any, attached: bool) -> None:
    config = case.network.config
    drive = torch.from_numpy(config.encoder.encode(case.images, [0, 1], steps=config.steps))
    options = {"detach_refractory": not attached, "potentials": "last", "rtol": 1e-9}
    compare(case.network, drive.double().requires_grad_(), **options)
