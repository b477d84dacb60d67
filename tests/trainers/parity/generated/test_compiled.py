"""Random models of the whole language: the same spikes and gradients compiled and uncompiled."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from generated_models import make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirrors import mirror_of

from bioae.random import stream
from bioae.trainers.mirror.compiled import build
from bioae.trainers.mirror.derivatives import ArcTan

#: What is left to the plain mirror.
LEFT = {
    "noise": ("none",), "delay": ("none", "homogeneous"),
    "variable": ("none", "integer", "boolean", "per_neuron"),
}  # fmt: skip


def learned(case: Any, *, compiled: bool, attached: bool) -> dict[str, torch.Tensor]:
    """Return spikes, the last potential, and gradients."""
    mirror = mirror_of(
        case.network,
        derivative=ArcTan(),
        detach_refractory=not attached,
        potentials="last",
        dtype=torch.float64,
        compile=compiled,
    )
    drive = case.network.config.encoder.encode(case.images, [0, 1], steps=case.network.config.steps)
    given = torch.from_numpy(drive).double().requires_grad_()
    layer = mirror(given).layers["only"]
    weight = torch.from_numpy(stream(1, 0).normal(size=layer.spikes.shape))
    loss = (weight * layer.spikes).sum() + (weight[0] * layer.final_potential).sum()
    loss.backward()
    found = {"spikes": layer.spikes, "potential": layer.final_potential, "drive": given.grad}
    return {**found, **{name: values.grad for name, values in mirror.weights.items()}}


@pytest.mark.slow
@pytest.mark.skipif(build.compiler() is None, reason="there is no C++ compiler to compile with")
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
    def compare(case: Any, attached: bool) -> None:
        plain, fused = (learned(case, compiled=c, attached=attached) for c in (False, True))
        assert plain["spikes"].any(), case
        assert torch.equal(plain["spikes"], fused["spikes"]), case
        for name, values in plain.items():
            assert values.isfinite().all(), (name, case)
            largest = float(values.detach().abs().max())
            torch.testing.assert_close(fused[name], values, rtol=1e-9, atol=1e-9 * largest)
        checked.append(case)

    compare()
    assert len(checked) >= count / 2
