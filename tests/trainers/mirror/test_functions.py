"""Functions that PyTorch lacks, and statements undefined for the neurons that skip them."""

from __future__ import annotations

import ctypes
import math
from fractions import Fraction
from typing import Any

import builders
import numpy as np
import pytest
import torch
from builders import LEAKY, dense, described, model
from mirrors import DENSE, compare, firing, learn, mirror_of, needs_compiler

from bioae.networks import Network, NetworkConfig
from bioae.trainers.mirror.compiled import build
from bioae.trainers.mirror.compiled.cpp import head
from bioae.trainers.mirror.derivatives import ArcTan
from bioae.trainers.mirror.functions import torch_functions

FUNCTIONS = torch_functions(torch.float64)


def leaf(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_gradients_of_remainders_are_those_of_the_floor() -> None:
    a, b = leaf(5.5, -5.5, 0.0, 6.0), leaf(2.0, 2.0, 2.0, -3.0)
    FUNCTIONS["mod"](a, b).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert a.grad.tolist() == [1, 1, 1, 1]
    assert b.grad.tolist() == [-2, 3, 0, 2]
    assert not FUNCTIONS["floordiv"](leaf(5.5), leaf(2.0)).requires_grad


def moment(x: float, order: int) -> float:
    """Return the derivative of (exp(x) - 1)/x of some order, by its series in exact fractions."""
    exact = Fraction(x)
    terms = (exact**k / (math.factorial(k) * (k + order + 1)) for k in range(60))
    return float(sum(terms))


@pytest.mark.parametrize(
    "x", [0.0, 1e-300, 1e-17, -1e-12, 1e-8, -1e-5, 1e-3, -0.3, 0.999, -1, 2, -5]
)
def test_exprel_has_its_derivative_without_cancellation(x: float) -> None:
    value = leaf(x)
    result = FUNCTIONS["exprel"](value)
    assert result.item() == pytest.approx(moment(x, 0), rel=1e-13)
    (slope,) = torch.autograd.grad(result.sum(), value)
    assert slope.item() == pytest.approx(moment(x, 1), rel=1e-13)


#: In float32 the power overflows at 88.7, in float64 at 709.8.
ARGUMENTS = [0.0, 1.5, 80.0, 89.0, 100.0, 500.0, 709.5, 710.0, 800.0, math.inf, -100.0, -math.inf]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.medium)])
def test_the_slope_of_exprel_is_never_nan(dtype: torch.dtype, compiled: bool) -> None:
    value = torch.tensor(ARGUMENTS, dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(torch_functions(dtype)["exprel"](value).sum(), value)
    if compiled:
        slope = compiled_slope(value.detach())
    overflows = value.exp().isinf()
    assert overflows.sum() == (7 if dtype == torch.float32 else 3)
    assert torch.equal(slope.isposinf(), overflows)
    assert not slope.isnan().any()
    assert slope[:2].tolist() == pytest.approx([moment(x, 1) for x in ARGUMENTS[:2]], rel=1e-5)


def compiled_slope(value: torch.Tensor) -> torch.Tensor:
    """Return the derivative of exprel by its C++."""
    if build.compiler() is None:
        pytest.skip("there is no C++ compiler to compile with")
    real = build.REALS[value.dtype]
    line = "for (long i = 0; i < n; ++i) to[i] = exprel_slope(from[i]);"
    slope = torch.empty_like(value)
    library = build.compile_cpp(
        f'{head(real)} extern "C" void slope(const R* from, R* to, long n) {{ {line} }}'
    )
    pointers = (ctypes.c_void_p(each.data_ptr()) for each in (value, slope))
    library.slope(*pointers, ctypes.c_long(len(value)))
    return slope


def network() -> Network:
    """Return a network whose potential goes through every operation that PyTorch lacks."""
    fields = {
        **LEAKY,
        "equations": """
dv/dt = (0.2*(v % 0.7) + 0.1*(w // 0.3) + 0.1*exprel(w - w)*w - +v)/tau : 1
dw/dt = (sqrt(1 + v % 1) - w)/tau : 1
k : integer
""",
        "threshold": "v % 4 > 0.6 and k // 2 < 40 or v > 2",
        "reset": "v = (v % 0.5) + 1/(3 + w); k += 1",
        "method": "euler",
        "parameters": {"tau": "10*ms"},
    }
    config = described(
        dense("only", 4, gain=3.0), input_shape=[1, 1, 4], steps=30, dt="1*ms",
        neuron="mine", neurons={"mine": model(fields).to_mapping()},
        encoder={"kind": "bernoulli", "rate": 0.3}, decoder={"kind": "count"},
    )  # fmt: skip
    return Network.initialise(config, seed=1)


@pytest.mark.medium
@needs_compiler
def test_remainders_of_states_can_be_trained_compiled_and_uncompiled() -> None:
    net = network()
    images = np.random.default_rng(0).random((2, 1, 1, 4))
    drive = net.config.encoder.encode(images, [0, 1], steps=30)
    compare(net, torch.from_numpy(drive).double().requires_grad_(), rtol=1e-9)


DRIVEN: dict[str, Any] = {
    **LEAKY, "equations": "dv/dt = (0.4 - v)/tau : 1", "method": "euler",
    "parameters": {"tau": "10*ms", "w": "1"},
    "trainable": {"tau": ["1*ms", "100*ms"], "w": ["0.1", "10"]},
}  # fmt: skip
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
        neurons={"mine": {**DRIVEN, **fields}}, decoder={"kind": "mean"},
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
