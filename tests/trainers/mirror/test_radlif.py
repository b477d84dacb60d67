"""RadLIF: the recurrence of its paper, step by step, and the Jacobian that training follows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import dense, described
from mirrors import mirror_of
from numpy.typing import NDArray

from bioae import simulate
from bioae.datasets import Data
from bioae.networks import Network
from bioae.simulation import Backend
from bioae.trainers import derivative
from bioae.trainers.gradients import gradient_norms, layer_outputs

STEPS, CHANNELS, UNITS = 120, 6, 12
Array = NDArray[np.float64]
PARAMETERS = ("alpha", "beta", "a", "b")


def network_of() -> Network:
    """Return a recurrent layer whose neurons have parameters of the paper's ranges."""
    layer = dense(
        "hidden", UNITS, neuron="radlif", recurrent=True, initial="orthogonal", gain=3.0,
        recurrent_gain=8.0,
        spread={
            "alpha": ["exp(-1/5)", "exp(-1/25)"], "beta": ["exp(-1/30)", "exp(-1/120)"],
            "a": ["-1", "1"], "b": ["0", "2"],
        },
    )  # fmt: skip
    config = described(
        layer, input_shape=[CHANNELS], steps=STEPS, schedule="paper",
        encoder={"kind": "frames"}, decoder={"kind": "count"},
        task={"kind": "classification", "classes": UNITS},
    )  # fmt: skip
    return Network.initialise(config, seed=2).quantised()


def signals() -> Data:
    # On the grid of graded events.
    values = np.random.default_rng(5).normal(size=(3, STEPS, CHANNELS))
    return Data.of_signals(np.round(values * 2**12) / 2**12)


def loop(network: Network, values: Array) -> tuple[Array, Array, Array]:
    """Return u, w and s (time, example, unit) by the formulas of the paper."""
    alpha, beta, a, b = (network.weights[f"hidden.{name}"] for name in PARAMETERS)
    weight, recurrent = network.weights["hidden.weight"], network.weights["hidden.recurrent"]
    u = w = s = np.zeros((len(values), UNITS))
    course = []
    for x in values.swapaxes(0, 1):
        w = beta * w + a * u + b * s
        u = alpha * (u - s) + (1 - alpha) * (x @ weight.T + s @ recurrent.T - w)
        s = (u > 1).astype(float)
        course.append((u, w, s))
    us, ws, ss = (np.stack(each) for each in zip(*course, strict=True))
    return us, ws, ss


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_every_step_is_the_papers(backend: Any) -> None:
    network, data = network_of(), signals()
    u, w, s = loop(network, data.as_float())
    assert 0.02 < s.mean() < 0.5
    record = ("u", "w")
    layer = simulate(network, data, Backend(backend, record=record))["layers/hidden"]
    spikes = np.zeros_like(s)
    step = np.rint(layer["spike_time_ms"].to_numpy()).astype(int)
    spikes[step, layer["spike_example"].to_numpy(), layer["spike_neuron"].to_numpy()] = 1
    np.testing.assert_array_equal(spikes, s)
    for name, expected in (("u", u), ("w", w)):
        states = layer[f"state_{name}"].transpose("time", "example", "neuron").to_numpy()
        # Neurons with a < 0 are unstable below threshold: their rounding errors grow.
        np.testing.assert_allclose(states, expected, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("compiled", [False, pytest.param("auto", marks=pytest.mark.medium)])
def test_gradient_norms_are_those_of_the_products_of_jacobians(compiled: Any) -> None:
    """With the boxcar derivative, to 1e-9 relative to each norm, at every lag."""
    network, data = network_of(), signals()
    u, _, _ = loop(network, data.as_float())
    alpha, beta, a, b = (network.weights[f"hidden.{name}"] for name in PARAMETERS)
    weight, recurrent = network.weights["hidden.weight"], network.weights["hidden.recurrent"]
    lags = [0, 1, 2, 5, 20, 60]
    mirror = mirror_of(
        network, derivative=derivative("boxcar"), dtype=torch.float64, compile=compiled
    )
    inputs = torch.from_numpy(data.as_float().swapaxes(0, 1).copy())
    norms = gradient_norms(layer_outputs(mirror.layers["hidden"]), inputs, lags, draws=None)
    box = (abs(u - 1) <= 0.5).astype(float)
    for example in range(len(data)):
        for lag, norm in zip(lags, norms[:, example], strict=True):
            to_u = (1 - alpha)[:, None] * weight
            to_w = np.zeros_like(to_u)
            for step in range(STEPS - 1 - lag, STEPS - 1):
                to_s = box[step, example][:, None] * to_u
                to_w = beta[:, None] * to_w + a[:, None] * to_u + b[:, None] * to_s
                kept, arriving = alpha[:, None] * (to_u - to_s), recurrent @ to_s - to_w
                to_u = kept + (1 - alpha)[:, None] * arriving
            expected = np.linalg.norm(box[-1, example][:, None] * to_u)
            assert norm == pytest.approx(expected, rel=1e-9), (lag, example)
    assert (norms > 0).all()
