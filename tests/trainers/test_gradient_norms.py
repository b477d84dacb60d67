"""Norms of gradients, and checks of gradients by differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from builders import LEAKY, dense, described, multiplied, pictures
from refusals import refused
from torch import Tensor, nn

from bioae.errors import InputError, NetworkError
from bioae.networks import Network
from bioae.trainers import Backward, LayerOptions, check_gradients, derivative
from bioae.trainers.gradients import gradient_norms, layer_outputs
from bioae.trainers.mirror.derivatives import DERIVATIVES, SpikeFunction
from bioae.trainers.mirror.trained import Scale

STEPS, EXAMPLES, UNITS = 30, 2, 5
LAGS = [0, 1, 2, 7, 29]


def matrix() -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(0, 0.5, (UNITS, UNITS)))


def inputs(units: int = UNITS) -> Tensor:
    return torch.from_numpy(np.random.default_rng(2).normal(size=(STEPS, EXAMPLES, units)))


class Linear(nn.Module):
    """A recurrent network without a nonlinearity."""

    def __init__(self, recurrent: Tensor) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, arriving: Tensor) -> Tensor:
        state = torch.zeros_like(arriving[0])
        states = []
        for each in arriving:
            state = each + state @ self.recurrent.T
            states.append(state)
        return torch.stack(states)


def test_of_a_linear_network_are_those_of_powers_of_its_matrix() -> None:
    recurrent = matrix()
    norms = gradient_norms(layer_outputs(Linear(recurrent)), inputs(), LAGS, draws=None)
    for lag, norm in zip(LAGS, norms, strict=True):
        power = torch.linalg.matrix_power(recurrent, lag)
        np.testing.assert_allclose(norm, float(torch.linalg.norm(power)), rtol=1e-12)


def test_of_an_orthogonal_network_grow_with_its_gain() -> None:
    orthogonal, _ = torch.linalg.qr(matrix())
    for gain in (0.8, 1.0, 1.25):
        norms = gradient_norms(layer_outputs(Linear(gain * orthogonal)), inputs(), LAGS, draws=None)
        expected = [np.sqrt(UNITS) * gain**lag for lag in LAGS]
        np.testing.assert_allclose(norms, np.tile(expected, (EXAMPLES, 1)).T, rtol=1e-10)


def test_random_directions_estimate_the_norm() -> None:
    """The relative standard error of a squared norm is at most sqrt(2 / draws)."""
    respond = layer_outputs(Linear(matrix()))
    exact = gradient_norms(respond, inputs(), LAGS, draws=None)
    estimates = gradient_norms(respond, inputs(), LAGS, draws=400, seed=3)
    np.testing.assert_allclose(estimates**2, exact**2, rtol=5 * np.sqrt(2 / 400))
    again = gradient_norms(respond, inputs(), LAGS, draws=400, seed=3)
    np.testing.assert_array_equal(estimates, again)
    assert (gradient_norms(respond, inputs(), LAGS, draws=400, seed=4) != estimates).any()


@pytest.mark.parametrize("kind", ["tanh", "lstm"])
def test_agree_with_finite_differences(kind: str) -> None:
    torch.manual_seed(0)
    cell: nn.RNNBase = (
        nn.LSTM(3, UNITS, dtype=torch.float64)
        if kind == "lstm"
        else nn.RNN(3, UNITS, dtype=torch.float64)
    )

    class First(nn.Module):
        def forward(self, arriving: Tensor) -> Tensor:
            states: Tensor = cell(arriving)[0]
            return states

    respond, values = layer_outputs(First()), inputs(3)
    lags = [0, 1, 4]
    norms = gradient_norms(respond, values, lags, draws=None)
    width = 1e-5
    for lag, norm in zip(lags, norms, strict=True):
        columns = []
        for channel in range(3):
            shift = torch.zeros_like(values)
            shift[-1 - lag, :, channel] = width
            with torch.no_grad():
                change = respond(values + shift)[-1] - respond(values - shift)[-1]
            columns.append(change / (2 * width))
        expected = torch.linalg.norm(torch.stack(columns, -1), dim=(1, 2))
        np.testing.assert_allclose(norm, expected.numpy(), rtol=1e-6)


def test_the_inputs_stay_as_they_were() -> None:
    values = inputs()
    before = values.clone()
    gradient_norms(layer_outputs(Linear(matrix())), values, [1])
    assert not values.requires_grad
    assert torch.equal(values, before)


@pytest.mark.parametrize("factor", [1e200, 1e-200, 1e-310])
def test_norms_of_all_sizes(factor: float) -> None:
    norms = gradient_norms(lambda each: (factor * each).cumsum(0), inputs(), [0, 1], draws=None)
    np.testing.assert_allclose(norms, factor * np.sqrt(inputs().shape[2]), rtol=1e-9)


def test_inputs_without_channels() -> None:
    with torch.inference_mode():
        norms = gradient_norms(lambda each: 3 * each, torch.ones(4, 2), [0, 1], draws=None)
    np.testing.assert_array_equal(norms, [[3.0, 3.0], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("respond", "values", "names"),
    [
        (torch.relu, np.ones((3, 2, 2)), ["inputs", "Tensor"]),
        (torch.relu, torch.ones((3, 2, 2), dtype=torch.int64), ["inputs", "torch.int64"]),
        (torch.relu, torch.ones(3), ["inputs", "(3,)"]),
        (Tensor.detach, torch.ones(3, 2, 2), ["outputs", "gradient"]),
        (lambda _: torch.ones(3, 2).requires_grad_(), torch.ones(3, 2), ["outputs", "gradient"]),
        (torch.sum, torch.ones(3, 2, 2), ["outputs", "(time, 2, ...)"]),
        (lambda _: 3, torch.ones(3, 2, 2), ["outputs", "Tensor", "3"]),
    ],
)
def test_arrays_that_do_not_fit(respond: Any, values: Any, names: list[str]) -> None:
    with refused(NetworkError, *names):
        gradient_norms(respond, values, [0])


def test_lags_and_draws_that_do_not_fit() -> None:
    for lags, draws, name in (([STEPS], 4, STEPS), ([-1], 4, -1), (3, 4, "lags"), ([1], 0, 0)):
        with refused(NetworkError, name):
            gradient_norms(layer_outputs(Linear(matrix())), inputs(), lags, draws=draws)  # type: ignore[arg-type]


#: A refractory neuron with a current, whose threshold starts at a bound.
BOUNDED = {**LEAKY, "equations": "dv/dt = (x - v)/tau : 1 (unless refractory)\ndx/dt = -x/tau : 1",
           "threshold": "v > theta", "refractory": "2*ms", "method": "euler", "input": "x",
           "parameters": {"tau": "10*ms", "theta": "1"},
           "trainable": {"tau": ["1*ms", "1*second"], "theta": ["1", "2"]}}  # fmt: skip


def network(**fields: Any) -> Network:
    config = described(
        dense("first", 6, recurrent=True, bias=True), dense("last", shape=[1, 4, 4]),
        **{"input_shape": [1, 4, 4], "steps": 16, "neuron": "bounded",
           "neurons": {"bounded": BOUNDED}, "decoder": {"kind": "mean"}, **fields},
    )  # fmt: skip
    drawn = multiplied(Network.initialise(config, seed=2), 5.0)
    return Network(config, {**drawn.weights, "first.weight": abs(drawn.weights["first.weight"])})


def differences(name: str = "arctan", **backward: Any) -> dict[str, float]:
    options = LayerOptions(
        Backward(derivative(name), **backward), ("tau", "theta"),
        delays={"first.recurrent": ("0*ms", "3*ms")},
    )  # fmt: skip
    found = check_gradients(network(), pictures(3, 4, 4), options, directions=2)
    assert (abs(found["back_propagation"]) > 1e-6).sum() >= 6
    relative: dict[str, float] = found["relative_difference"].to_dict()
    return relative


@pytest.mark.parametrize("name", DERIVATIVES)
def test_every_derivative(name: str) -> None:
    assert max(differences(name).values()) < 1e-5


@pytest.mark.parametrize(
    "options",
    [{"detach_reset": True}, {"detach_refractory": False}, {"straight_through": 0.9},
     {"truncate": 7, "recompute": 5}],
    ids=str,
)  # fmt: skip
def test_options_of_gradients(options: dict[str, Any]) -> None:
    assert max(differences(**options).values()) < 1e-5


def test_wrong_gradients_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    attached, backward = Scale.attached, SpikeFunction.backward
    with monkeypatch.context() as patch:
        patch.setattr(Scale, "attached", lambda self, u, x: x + 1.01 * (attached(self, u, x) - x))
        wrong = {name for name, each in differences().items() if each > 1e-5}
    assert wrong == {"first.tau", "first.theta", "last.tau"}

    def doubled(ctx: Any, gradient: Tensor) -> Any:
        return backward(ctx, 2 * gradient)

    monkeypatch.setattr(SpikeFunction, "backward", staticmethod(doubled))
    assert all(each > 0.01 for name, each in differences().items() if name.startswith("first"))


def test_nothing_to_check() -> None:
    task = {"kind": "representation", "outputs": 16}
    with refused(NetworkError, "'representation'"):
        check_gradients(network(task=task, decoder={"kind": "count"}), pictures(3, 4, 4))
    with refused(InputError, "directions"):
        check_gradients(network(), pictures(3, 4, 4), directions=0)
