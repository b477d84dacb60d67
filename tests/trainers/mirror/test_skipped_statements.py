"""Statements that are undefined for the neurons that skip them have the gradients of others."""

from __future__ import annotations

from typing import Any

import builders
import pytest
import torch
from mirrors import DENSE, compare, firing, learn, mirror_of, needs_compiler

from bioae.networks import Network, NetworkConfig
from bioae.trainers.mirror.derivatives import ArcTan

LEAKY: dict[str, Any] = {
    "description": "Leaky integrate-and-fire neuron.",
    "equations": "dv/dt = (0.4 - v)/tau : 1",
    "threshold": "v > 1",
    "reset": "v = 0",
    "method": "euler",
    "input": "v",
    "parameters": {"tau": "10*ms", "w": "1"},
    "trainable": {"tau": ["1*ms", "100*ms"], "w": ["0.1", "10"]},
}
RESTING = """
dv/dt = (w*sqrt(1.5 - u) - v)/tau : 1 (unless refractory)
du/dt = -u/(2*ms) : 1
"""
#: Changes of the model, and what is undefined in it where it is skipped.
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "root": ({"reset": "v = 0.1*w*sqrt(v - 1)"}, "v - 1"),
    "temporary variable": ({"reset": "k = log(v - 1)\nv = 0.1*w*k"}, "v - 1"),
    "quotient": ({"reset": "v = 0.1*w/floor(v)"}, "floor(v)"),
    "power": ({"reset": "v = w*(v - 1)**0.7"}, "v - 1"),
    "activity": (
        {
            "equations": "dv/dt = (0.4 - v)/tau : 1 (unless refractory)",
            "reset": "v = 0.1*w*sqrt(v - 1)*(1 + int(not_refractory))",
            "refractory": "2*ms",
        },
        "v - 1",
    ),
    "event": (
        {
            "reset": "v = 0.7",
            "events": {"high": {"condition": "v > 0.5", "reset": "v -= 0.1*w*sqrt(v - 0.5)"}},
        },
        "v - 0.5",
    ),
    "exponential": ({"reset": "v = 0.1*w*exp(-(v - 1)*900)"}, "v - 1"),
    "refractory": (
        {"equations": RESTING, "reset": "v = 0\nu = 4", "refractory": "3*ms"},
        "1.5 - u",
    ),
    "regularly": (
        {
            "equations": "dv/dt = -v/tau : 1 (unless refractory)\ndu/dt = -u/(2*ms) : 1",
            "reset": "v = 0\nu = 4",
            "refractory": "3*ms",
            "run_regularly": "v += w*0.2*sqrt(1.5 - u)",
            "run_every": "2*ms",
        },
        "1.5 - u",
    ),
}


def config(fields: dict[str, Any]) -> NetworkConfig:
    return builders.described(
        *DENSE, input_shape=[1, 1, 3], steps=15, schedule="paper", neuron="mine",
        neurons={"mine": {**LEAKY, **fields}}, decoder={"kind": "mean"},
    )  # fmt: skip


def defined(fields: Any, part: str) -> Any:
    """Keep a part of a model above 0."""
    if isinstance(fields, dict):
        return {key: defined(value, part) for key, value in fields.items()}
    bounded = f"(clip({part}, 1e-9, 1e9))"
    return fields.replace(f"({part})", bounded).replace(f"/{part}", f"/{bounded}")


@pytest.mark.medium
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_a_model_that_is_defined_everywhere(case: str) -> None:
    fields, part = CASES[case]
    network = firing(config(fields))
    other = config(defined(fields, part))
    assert other != network.config
    options: dict[str, Any] = {
        "derivative": ArcTan(), "detach_reset": True, "trainable": ("tau", "w"),
        "potentials": "all",
    }  # fmt: skip
    activity, read, found = learn(mirror_of(network, **options))
    _, same, expected = learn(mirror_of(Network(other, network.weights), **options))
    for name, layer in activity.layers.items():
        assert 0 < layer.spikes.mean() < 1
        assert torch.equal(read[f"{name}.spikes"], same[f"{name}.spikes"])
    assert expected.keys() == found.keys() > {"drive", "first.w", "first.tau"}
    for name, gradient in expected.items():
        assert gradient.any(), name
        torch.testing.assert_close(found[name], gradient, msg=name)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "attached"),
    # An attached reset of neurons that do not fire has its own derivative: a huge one here.
    [(case, attached) for attached in (False, True) for case in CASES if case != "exponential"]
    + [("exponential", False)],
)
def test_compiled_gradients_are_the_same(case: str, attached: bool) -> None:
    network = firing(config(CASES[case][0]))
    options: dict[str, Any] = {"detach_reset": not attached, "detach_refractory": not attached}
    compare(network, trainable=("tau", "w"), **options)
