"""Each term against small examples and NumPy, and its gradient against finite differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
from refusals import refused
from torch import Tensor

from bioae.errors import NetworkError
from bioae.trainers.mirror.activity import Activity, LayerActivity
from bioae.trainers.mirror.derivatives import derivative, spike
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.regularisers import ACTIVITY_TERMS, WEIGHT_TERMS, evaluate
from bioae.trainers.training.stages import build_regularisers
from bioae.trainers.training.terms import WEIGHT_SYMBOLS, RegularisersConfig, TargetTermConfig

STEPS, EXAMPLES = 5, 3
TARGETED = ["beta1", "beta2", "lambda1", "lambda2"]
#: The terms of neurons that fire or not; `silent` has separate tests.
OTHERS = [symbol for symbol in ACTIVITY_TERMS if symbol != "silent"]


def activity(**layers: tuple[Tensor, Tensor | None]) -> Activity:
    named = {name: LayerActivity(name, *arrays) for name, arrays in layers.items()}
    return Activity(named, torch.zeros(EXAMPLES, 1, 2, 2))


def random_layer(seed: int, *shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = (STEPS, EXAMPLES, *shape)
    spikes = torch.rand(size, generator=generator, dtype=torch.float64) < 0.4
    return spikes.double(), torch.randn(size, generator=generator, dtype=torch.float64)


#: A convolutional layer and a latent one, with weights.
LAYERS = activity(conv=random_layer(0, 2, 3, 3), latent=random_layer(1, 4))
WEIGHTS = {
    "conv.weight": torch.tensor([[1.0, -2.0]]), "latent.weight": torch.tensor([3.0]),
    "latent.recurrent": torch.tensor([-1.0]),
}  # fmt: skip


def term(symbol: str, found: Activity = LAYERS, /, elapsed: float = 1.0, **table: Any) -> Tensor:
    """Return the value of one term, whose coefficient is 1 by default."""
    config = TargetTermConfig(**{"coefficient": 1.0} | table)
    return evaluate({symbol: config}, found, WEIGHTS, elapsed)[symbol]


def by_numpy(symbol: str, layer: LayerActivity, target: float = 0.0) -> float:
    assert layer.potential is not None
    rate = layer.spikes.numpy().sum(0).reshape(EXAMPLES, -1) / STEPS
    potential = layer.potential.numpy()[STEPS - 1].reshape(EXAMPLES, -1) / STEPS
    value: Any = {
        "beta1": np.abs(potential - target).sum() / EXAMPLES,
        "beta2": ((potential - target) ** 2).sum() / EXAMPLES,
        "lambda1": np.abs(rate - target).sum() / EXAMPLES,
        "lambda2": ((rate - target) ** 2).sum() / EXAMPLES,
        "neuron1": rate.sum() / EXAMPLES,
        "example2": (rate.sum(1) ** 2).sum() / EXAMPLES,
        "neuron2": (rate.sum(0) ** 2).sum() / EXAMPLES,
    }[symbol]
    return float(value)


@pytest.mark.parametrize("symbol", OTHERS)
@pytest.mark.parametrize("layers", ["all", ("latent",), ("conv",)])
def test_activity_terms_against_numpy(symbol: str, layers: Any) -> None:
    chosen = ("conv", "latent") if layers == "all" else layers
    expected = sum(by_numpy(symbol, LAYERS.layers[name]) for name in chosen)
    assert expected != 0
    for coefficient in (2.0, -0.5):
        found = term(symbol, layers=layers, coefficient=coefficient)
        assert found.item() == pytest.approx(coefficient * expected)


def test_weight_terms_do_not_act_on_neuron_parameters() -> None:
    assert term("l1", coefficient=2.0) == 2 * (1 + 2 + 3 + 1)
    assert term("l2", coefficient=2.0) == 2 * (1 + 4 + 9 + 1)
    assert term("l1", coefficient=2.0, layers=("conv",)) == 2 * (1 + 2)
    assert term("l2", coefficient=2.0, layers=("latent",)) == 2 * (9 + 1)


AIMS: list[dict[str, Any]] = [{}, {"window": (0.21, 0.33)}, {"window": (0.2, 0.4), "over": "batch"}]


@pytest.mark.parametrize(
    ("symbol", "aim"),
    [*((symbol, {}) for symbol in OTHERS), *((s, a) for s in TARGETED for a in AIMS[1:])],
)
def test_gradients_against_finite_differences(symbol: str, aim: dict[str, Any]) -> None:
    rates, potential = random_layer(2, 3)
    # A rate of 0 is a corner of the absolute value, where differences say nothing.
    inputs = ((rates + 0.1).requires_grad_(), potential.requires_grad_())

    def value(spikes: Tensor, potential: Tensor) -> Tensor:
        return term(symbol, activity(latent=(spikes, potential)), **aim)

    assert value(*inputs).item() > 0
    assert torch.autograd.gradcheck(value, inputs)


def silent_neuron(symbol: str, **table: Any) -> float:
    """Return the gradient that a term sends to the weight of a neuron that stays silent."""
    weight = torch.tensor(-0.2, requires_grad=True)
    current = weight * torch.ones(STEPS, EXAMPLES, 1)
    potential = current.cumsum(0)
    spikes = spike(potential > 1, potential - 1, torch.ones(()), derivative("membrane"))
    assert spikes.sum() == 0
    term(symbol, activity(latent=(spikes, potential)), **table).backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    return weight.grad.item()


def test_only_terms_on_the_potential_wake_a_silent_neuron() -> None:
    for symbol in ("beta1", "beta2"):
        # Descent goes against the gradient: a negative one raises the weight.
        assert silent_neuron(symbol) < 0
        assert silent_neuron(symbol, target=0.5) <= silent_neuron(symbol)
    for symbol in ("lambda1", "lambda2", "neuron1", "example2", "neuron2"):
        assert silent_neuron(symbol, coefficient=-1.0) == 0


@pytest.mark.parametrize("symbol", TARGETED)
def test_targets_and_windows(symbol: str) -> None:
    layer, target = LAYERS.layers["latent"], 0.3
    assert layer.potential is not None
    found = term(symbol, layers=("latent",), target=target).item()
    assert found == pytest.approx(by_numpy(symbol, layer, target))
    assert found != by_numpy(symbol, layer)
    quantity = (layer.potential[-1] if "beta" in symbol else layer.counts) / STEPS
    distance = np.abs(quantity.numpy().mean(0) - target)
    expected = (distance if symbol.endswith("1") else distance**2).sum()
    batch = term(symbol, layers=("latent",), target=target, over="batch").item()
    assert batch == pytest.approx(expected)
    assert found >= batch * (1 - 1e-9)
    for over in ("example", "batch"):
        point = term(symbol, window=(0.3, 0.3), over=over)
        assert term(symbol, window=(-1e3, 1e3), over=over) == 0
        assert point.item() == pytest.approx(term(symbol, target=target, over=over).item())
        assert 0 < term(symbol, window=(0.2, 0.4), over=over) < point


def test_the_window_of_rates_against_its_definition() -> None:
    """0.5 [relu(low - r) + relu(r - high)], rates averaged over batch and time."""
    low, high = 0.25, 0.5
    spikes, _ = random_layer(3, 20)
    rate = spikes.numpy().mean((0, 1))
    assert (rate < low).any()
    assert (rate > high).any()
    expected = 0.5 * (np.maximum(low - rate, 0) + np.maximum(rate - high, 0)).sum()
    layers = activity(latent=(spikes, None))
    found = term("lambda1", layers, coefficient=0.5, window=(low, high), over="batch")
    assert found.item() == pytest.approx(expected)


def test_coefficients_grow_over_their_warm_up() -> None:
    full = term("lambda1", warm_up=4.0, elapsed=4.0).item()
    assert full == term("lambda1").item() > 0
    for elapsed, factor in ((0.0, 0.0), (1.0, 0.25), (3.0, 0.75), (9.0, 1.0)):
        found = term("lambda1", warm_up=4.0, elapsed=elapsed).item()
        assert found == pytest.approx(factor * full)


def test_every_term_can_be_configured() -> None:
    assert set(RegularisersConfig.model_fields) == {*ACTIVITY_TERMS, *WEIGHT_TERMS}
    assert set(WEIGHT_TERMS) == WEIGHT_SYMBOLS
    config: TrainingConfig = small_run.config()
    terms = build_regularisers(config.regularisers, config.network)
    assert {symbol: each.layers for symbol, each in terms.items()} == {
        "beta2": ("hidden", "output"), "lambda1": ("hidden", "output"), "l2": None,
        "neuron2": ("hidden",),
    }  # fmt: skip


def silent_output(regularisers: dict[str, Any]) -> TrainingConfig:
    """Return a configuration whose last layer never spikes."""
    hidden, output = small_run.NETWORK["layers"]
    layers = [hidden, {**output, "neuron": "leaky_readout"}]
    return TrainingConfig.from_mapping(
        {
            "network": {**small_run.NETWORK, "layers": layers},
            "training": {"epochs": 1, "batch_size": 6, "threads": 1, "compile": False},
            "regularisers": regularisers,
        }
    )


@pytest.mark.parametrize("layers", [None, "all"])
def test_terms_act_on_layers_that_spike(layers: str | None) -> None:
    table = {"coefficient": 1.0, **({"layers": layers} if layers else {})}
    symbols = ("beta1", "lambda2", "neuron1", "l2")
    (stage,) = silent_output(dict.fromkeys(symbols, table)).stages
    assert {symbol: each.layers for symbol, each in stage.regularisers.items()} == {
        "beta1": ("hidden",), "lambda2": ("hidden",), "neuron1": ("hidden",), "l2": None,
    }  # fmt: skip
    named = {"coefficient": 1.0, "layers": ["output"]}
    with refused(NetworkError, "output", where="regularisers.beta1", expected="one of hidden"):
        _ = silent_output({"beta1": named}).stages


def test_a_layer_that_never_spikes_is_not_dead(tmp_path: Path) -> None:
    problem = small_run.problem(silent_output({"beta2": 0.1}))
    result = small_run.fit(problem, tmp_path)
    (metrics,) = result.records
    assert set(metrics["layers"]) == set(result.summary["test_layers"]) == {"hidden"}
    found = problem.mirror(problem.batch(problem.data.train, 0).drive)
    value = evaluate(problem.stages[0].regularisers, found, problem.mirror.weights)["beta2"]
    assert value.item() == pytest.approx(0.1 * by_potential(found.layers["hidden"]), rel=1e-5)
    # Its potential is far from 0, and no term acts on it.
    assert by_potential(found.layers["output"]) > 0


def by_potential(layer: LayerActivity) -> float:
    assert layer.final_potential is not None
    potential = layer.final_potential.detach().flatten(1) / len(layer.spikes)
    return float(potential.square().sum(1).mean())
