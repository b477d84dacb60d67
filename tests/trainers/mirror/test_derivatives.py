"""Spike derivatives against the closed forms of the papers, and the backward pass against them."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from scipy import integrate, stats

from bioae.errors import NetworkError
from bioae.trainers.mirror.derivatives import DERIVATIVES, SpikeDerivative, derivative, spike
from bioae.trainers.training.tables import DerivativeName

ONE = torch.ones((), dtype=torch.float64)
PROFILES = sorted(set(DERIVATIVES) - {"exact"})


def slope(rule: SpikeDerivative, x: float, scale: float = 1.0) -> float:
    distance = torch.tensor(x, dtype=torch.float64)
    value: float = rule(distance, ONE * scale, distance > 0).item()
    return value


def area(rule: SpikeDerivative) -> float:
    kinks = [-1.0, -0.5, 0.0, 0.5, 1.0]
    inner = integrate.quad(lambda x: slope(rule, x), -40, 40, points=kinks, limit=400)[0]
    left = integrate.quad(lambda x: slope(rule, x), -math.inf, -40)[0]
    return float(inner + left + integrate.quad(lambda x: slope(rule, x), 40, math.inf)[0])


@pytest.mark.parametrize(
    ("rule", "peak", "total"),
    [
        (derivative("fast_sigmoid", slope=4.0), 1.0, 2 / 4),
        (derivative("arctan", alpha=3.0), 1.5, 1.0),
        (derivative("triangular"), 0.3, 0.3),
        (derivative("triangular", height=1.0, width=2.0), 1.0, 2.0),
        (derivative("boxcar"), 1.0, 1.0),
        (derivative("boxcar", width=0.5), 2.0, 1.0),
        (derivative("gaussian", sigma=0.5), 1 / (0.5 * math.sqrt(2 * math.pi)), 1.0),
        (derivative("gaussian", factor=0.5), 0.5 / (0.5 * math.sqrt(2 * math.pi)), 0.5),
        (derivative("multi_gaussian", height=0.15), None, 1 - 0.15),
    ],
    ids=repr,
)
def test_peak_and_area(rule: SpikeDerivative, peak: float | None, total: float) -> None:
    assert area(rule) == pytest.approx(total, rel=1e-4)
    if peak is not None:
        assert slope(rule, 0.0) == pytest.approx(peak)


def test_configurations_name_every_derivative() -> None:
    assert set(get_args(DerivativeName)) == set(DERIVATIVES)


def test_multi_gaussian_against_scipy() -> None:
    x = np.linspace(-8, 8, 321)
    normal = stats.norm.pdf
    expected = 1.15 * normal(x, 0, 0.5) - 0.15 * (normal(x, 0.5, 3) + normal(x, -0.5, 3))
    found = derivative("multi_gaussian")(torch.tensor(x), ONE, torch.tensor(x > 0))
    np.testing.assert_allclose(found, expected, atol=1e-14)
    assert expected.min() < 0 < expected.max()


@pytest.mark.parametrize("name", sorted(set(PROFILES) - {"membrane"}))
@given(x=st.floats(0, 20))
def test_symmetric_about_the_threshold(name: str, x: float) -> None:
    assert slope(derivative(name), x) == slope(derivative(name), -x)


@pytest.mark.parametrize(
    ("rule", "primitive"),
    [
        (derivative("fast_sigmoid", slope=4.0), lambda x: x / (1 + 4 * x.abs())),
        (derivative("arctan", alpha=3.0), lambda x: torch.atan(math.pi / 2 * 3 * x) / math.pi),
        (derivative("gaussian", sigma=0.5), lambda x: torch.special.ndtr(x / 0.5)),
        (derivative("triangular"), lambda x: 0.3 * (x - x * x.abs() / 2)),
    ],
    ids=["fast_sigmoid", "arctan", "gaussian", "triangular"],
)
def test_derivative_of_the_smooth_primitive(rule: SpikeDerivative, primitive: object) -> None:
    assert callable(primitive)
    x = torch.linspace(-0.95, 0.95, 40, dtype=torch.float64)  # without 0, where some have a kink
    step = 1e-6
    differences = (primitive(x + step) - primitive(x - step)) / (2 * step)
    assert differences.abs().min() > 0
    torch.testing.assert_close(rule(x, ONE, x > 0), differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", DERIVATIVES)
@given(x=st.floats(-5, 5), scale=st.floats(1e-3, 1e3))
def test_scale_is_the_unit_of_distance(name: str, x: float, scale: float) -> None:
    rule = derivative(name)
    distance = x * scale
    expected = slope(rule, distance / scale) / scale
    assert slope(rule, distance, scale) == pytest.approx(expected)
    assert slope(rule, distance, -scale) == slope(rule, distance, scale)


def test_membrane_is_one_over_theta_where_the_neuron_spiked() -> None:
    rule = derivative("membrane")
    distance = torch.tensor([-3.0, -0.1, 0.1, 3.0])
    fired = torch.tensor([False, False, True, True])
    assert rule(distance, torch.tensor(0.5), fired).tolist() == [0.0, 0.0, 2.0, 2.0]


@pytest.mark.parametrize("name", PROFILES)
def test_spike_is_a_step_forward_and_the_rule_backward(name: str) -> None:
    rule = derivative(name)
    potential = torch.linspace(-1.0, 3.0, 24, dtype=torch.float64).reshape(2, 3, 4).requires_grad_()
    theta = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64, requires_grad=True)
    distance = potential - theta
    fires = distance > 0
    assert 0 < fires.sum() < fires.numel()
    spikes = spike(fires, distance, theta, rule)
    assert torch.equal(spikes, fires.double())
    weights = torch.arange(24.0, dtype=torch.float64).reshape(2, 3, 4)
    (weights * spikes).sum().backward()  # type: ignore[no-untyped-call]
    expected = (weights * rule(distance, theta, fires)).detach()
    assert expected.abs().sum() > 0
    assert potential.grad is not None
    assert theta.grad is not None
    torch.testing.assert_close(potential.grad, expected)
    torch.testing.assert_close(theta.grad, -expected.sum((0, 1)))


@pytest.mark.parametrize(
    ("name", "parameters", "named"),
    [
        ("sigmoid", {}, ("'sigmoid'",)), ("arctan", {"slope": 2}, ("'slope'",)),
        ("membrane", {"slope": 2}, ()),
        *(("arctan", {"alpha": each}, ("alpha",)) for each in (0, -1.0, math.inf, math.nan, "2")),
    ],
)  # fmt: skip
def test_names_and_parameters_that_do_not_fit(name: str, parameters: Any, named: Any) -> None:
    with refused(NetworkError, *named):
        derivative(name, **parameters)
