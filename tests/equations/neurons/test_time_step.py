"""A model's largest time step: networks may not exceed it, and tools use it by default."""

from __future__ import annotations

from typing import Any

import builders
import pytest
from builders import dense, described

from bioae.equations import load_neuron, lower
from bioae.errors import ModelError, NetworkError
from bioae.networks import NetworkConfig
from bioae.trainers.parity import parity_network

FAST: dict[str, Any] = {
    **load_neuron("lif").to_mapping(), "description": "A neuron of short steps.", "dt": "0.2*ms",
}  # fmt: skip


def network(dt: str, neuron: dict[str, Any] = FAST) -> NetworkConfig:
    fields = {"dt": dt, "neuron": "fast", "neurons": {"fast": neuron}}
    return described(dense("only", 2), where="a network", input_shape=[1, 1, 2], **fields)


@pytest.mark.parametrize("dt", ["0.2*ms", "0.1*ms", "200*usecond"])
def test_a_shorter_step_is_accepted(dt: str) -> None:
    assert network(dt).placed[0].model.dt == "0.2*ms"


def test_a_longer_step_is_refused_in_one_line() -> None:
    with pytest.raises(NetworkError) as caught:
        _ = network("1*ms").placed
    message = str(caught.value)
    assert "\n" not in message
    for part in ("'fast'", "'only'", "at most 0.2*ms", "1*ms", 'dt = "0.2*ms"'):
        assert part in message


@pytest.mark.parametrize("dt", ["0.1", "-1*ms", "1*mV", "fast"])
def test_the_largest_step_must_be_a_time(dt: str) -> None:
    model = builders.model(FAST, "fast", dt=dt)
    with pytest.raises(ModelError, match="dt"):
        lower(model)


def test_parity_runs_at_it() -> None:
    model = builders.model(FAST, "fast")
    result, _ = parity_network(model, neurons=4, steps=20, examples=1, seed=0)
    assert result.config.dt_seconds == pytest.approx(2e-4)
