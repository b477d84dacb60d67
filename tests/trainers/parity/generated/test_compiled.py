"""Random models of the whole language: the same spikes and gradients compiled and uncompiled."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from generated_models import make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import compare, needs_compiler

#: What is left to the plain mirror.
LEFT = {
    "noise": ("none",), "delay": ("none", "homogeneous"),
    "variable": ("none", "integer", "boolean", "per_neuron"),
}  # fmt: skip


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize(
    "count", [8, pytest.param(120, marks=pytest.mark.slow, id="many")], ids=str
)
def test_compiled(count: int) -> None:
    checked = []

    @st.composite
    def cases(draw: st.DrawFn) -> Any:
        return make(lambda a, o: draw(st.sampled_from([c for c in o if c in LEFT.get(a, o)])))

    @settings(max_examples=count, suppress_health_check=[*HealthCheck])
    @given(cases(), st.booleans())
    def check(case: Any, attached: bool) -> None:
        config = case.network.config
        drive = torch.from_numpy(config.encoder.encode(case.images, [0, 1], steps=config.steps))
        options = {"detach_refractory": not attached, "potentials": "last", "rtol": 1e-9}
        compare(case.network, drive.double().requires_grad_(), **options)
        checked.append(case)

    check()
    assert len(checked) >= count / 2
