"""Each term against small examples and NumPy, and its gradient against finite differences."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bioae.errors import NetworkError
from bioae.trainers.mirror.activity import Activity, LayerActivity
from bioae.trainers.mirror.derivatives import derivative, spike
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.regularisers import REGULARISERS, Regulariser, evaluate
from bioae.trainers.training.stages import build_regularisers, stages_of
from bioae.trainers.training.terms import RegularisersConfig

STEPS, EXAMPLES = 5, 3


def activity(**layers: tuple[Tensor, Tensor | None]) -> Activity:
    named = {name: LayerActivity(name, *arrays) for name, arrays in layers.items()}
    return Activity(named, torch.zeros(EXAMPLES, 1, 2, 2))


def random_layer(seed: int, *shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    size = (STEPS, EXAMPLES, *shape)
    spikes = torch.rand(size, generator=generator, dtype=torch.float64) < 0.4
    return spikes.double(), torch.randn(size, generator=generator, dtype=torch.float64)


@pytest.fixture
def network() -> tuple[Activity, dict[str, Tensor]]:
    """A convolutional layer and a latent one, with weights, biases and a neuron parameter."""
    layers = activity(conv=random_layer(0, 2, 3, 3), latent=random_layer(1, 4))
    weights = {
        "conv.weight": torch.tensor([[1.0, -2.0]]),
        "latent.weight": torch.tensor([3.0]),
        "latent.recurrent": torch.tensor([-1.0]),
        "latent.bias": torch.tensor([50.0]),
        "latent.tau": torch.tensor(100.0),
    }
    return layers, weights


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


ACTIVITY = ["beta1", "beta2", "lambda1", "lambda2", "neuron1", "example2", "neuron2"]


@pytest.mark.parametrize("symbol", ACTIVITY)
@pytest.mark.parametrize("layers", [None, ("latent",), ("conv",)])
@pytest.mark.parametrize("coefficient", [2.0, -0.5])
def test_activity_terms_against_numpy(
    network: tuple[Activity, dict[str, Tensor]],
    symbol: str,
    layers: tuple[str, ...] | None,
    coefficient: float,
) -> None:
    term = REGULARISERS[symbol](coefficient, layers)
    chosen = layers or ("conv", "latent")
    expected = coefficient * sum(by_numpy(symbol, network[0].layers[name]) for name in chosen)
    assert expected != 0
    assert evaluate([term], *network)[symbol].item() == pytest.approx(expected)


@pytest.mark.parametrize("symbol", ["beta1", "beta2", "lambda1", "lambda2"])
def test_targets_against_numpy(network: tuple[Activity, dict[str, Tensor]], symbol: str) -> None:
    kind: Any = REGULARISERS[symbol]
    term = kind(2.0, ("latent",), target=0.3)
    expected = 2 * by_numpy(symbol, network[0].layers["latent"], 0.3)
    assert expected != 2 * by_numpy(symbol, network[0].layers["latent"])
    assert evaluate([term], *network)[symbol].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("symbol", "layers", "expected"),
    [
        ("l1", None, 2 * (1 + 2 + 3 + 1)),
        ("l2", None, 2 * (1 + 4 + 9 + 1)),
        ("l1", ("conv",), 2 * (1 + 2)),
        ("l2", ("latent",), 2 * (9 + 1)),
    ],
)
def test_weight_terms_do_not_act_on_neuron_parameters(
    network: tuple[Activity, dict[str, Tensor]],
    symbol: str,
    layers: tuple[str, ...] | None,
    expected: float,
) -> None:
    assert evaluate([REGULARISERS[symbol](2.0, layers)], *network)[symbol].item() == expected


def test_small_examples() -> None:
    # Two neurons, two steps, two examples: 2 and 0 spikes, then 1 and 1.
    spikes = torch.tensor([[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    potential = torch.zeros(2, 2, 2)
    potential[1] = torch.tensor([[4.0, -2.0], [0.0, 2.0]])
    values = {
        "beta1": (2 + 1 + 0 + 1) / 2,
        "beta2": (4 + 1 + 0 + 1) / 2,
        "lambda1": (1 + 0 + 0.5 + 0.5) / 2,
        "lambda2": (1 + 0 + 0.25 + 0.25) / 2,
        "neuron1": (1 + 1) / 2,
        "example2": (1 + 1) / 2,
        "neuron2": (1.5**2 + 0.5**2) / 2,
    }
    terms = [REGULARISERS[symbol](1.0) for symbol in values]
    found = evaluate(terms, activity(latent=(spikes, potential)), {})
    assert {symbol: value.item() for symbol, value in found.items()} == pytest.approx(values)


@pytest.mark.parametrize("symbol", ACTIVITY)
def test_gradients_against_finite_differences(symbol: str) -> None:
    rates, potential = random_layer(2, 3)
    # A rate of 0 is a corner of the absolute value, where differences say nothing.
    inputs = ((rates + 0.1).requires_grad_(), potential.requires_grad_())

    def value(spikes: Tensor, potential: Tensor) -> Tensor:
        layers = activity(latent=(spikes, potential))
        return evaluate([REGULARISERS[symbol](1.5)], layers, {})[symbol]

    assert value(*inputs).item() > 0
    assert torch.autograd.gradcheck(value, inputs)


def silent_neuron(term: Regulariser) -> float:
    """Return the gradient that a term sends to the weight of a neuron that stays silent."""
    weight = torch.tensor(-0.2, requires_grad=True)
    current = weight * torch.ones(STEPS, EXAMPLES, 1)
    potential = current.cumsum(0)
    spikes = spike(potential > 1, potential - 1, torch.ones(()), derivative("membrane"))
    assert spikes.sum() == 0
    evaluate([term], activity(latent=(spikes, potential)), {})[term.symbol].backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    return weight.grad.item()


@pytest.mark.parametrize("symbol", ["beta1", "beta2"])
def test_terms_on_the_potential_wake_a_silent_neuron(symbol: str) -> None:
    kind: Any = REGULARISERS[symbol]
    # Descent goes against the gradient: a negative one raises the weight.
    assert silent_neuron(kind(1.0)) < 0
    assert silent_neuron(kind(1.0, None, target=0.5)) <= silent_neuron(kind(1.0)) < 0


@pytest.mark.parametrize("symbol", ["lambda1", "lambda2", "neuron1", "example2", "neuron2"])
def test_terms_on_spikes_do_not_reach_a_silent_neuron(symbol: str) -> None:
    assert silent_neuron(REGULARISERS[symbol](-1.0)) == 0


def test_missing_layers_and_potentials(
    network: tuple[Activity, dict[str, Tensor]],
) -> None:
    with pytest.raises(NetworkError, match="acts on no layer"):
        evaluate([REGULARISERS["lambda1"](1.0, ("nowhere",))], *network)
    spikes, _ = random_layer(0, 2)
    with pytest.raises(NetworkError, match=r"layer latent.*not computed"):
        evaluate([REGULARISERS["beta1"](1.0)], activity(latent=(spikes, None)), {})


def test_built_from_a_configuration(small_run: ModuleType) -> None:
    config: TrainingConfig = small_run.config()
    terms = {term.symbol: term for term in build_regularisers(config.regularisers, config.network)}
    assert set(terms) == {"beta2", "lambda1", "l2", "neuron2"}
    assert terms["beta2"].layers == ("hidden", "output")
    assert terms["l2"].layers is None
    assert terms["neuron2"].layers == ("hidden",)


def test_every_term_can_be_configured() -> None:
    assert set(RegularisersConfig.model_fields) == set(REGULARISERS)


@pytest.mark.parametrize("symbol", ["beta1", "beta2", "lambda1", "lambda2"])
def test_targets_on_means_over_the_batch(
    network: tuple[Activity, dict[str, Tensor]], symbol: str
) -> None:
    layer, target = network[0].layers["latent"], 0.3
    assert layer.potential is not None
    quantity = (layer.potential[-1] if "beta" in symbol else layer.counts) / STEPS
    distance = np.abs(quantity.numpy().mean(0) - target)
    expected = (distance if symbol.endswith("1") else distance**2).sum()
    kind: Any = REGULARISERS[symbol]
    found = evaluate([kind(1.0, ("latent",), target=target, over="batch")], *network)[symbol]
    assert found.item() == pytest.approx(expected)
    by_example = evaluate([kind(1.0, ("latent",), target=target)], *network)[symbol]
    assert by_example.item() >= found.item() * (1 - 1e-9)
    assert symbol.endswith("1") or by_example.item() > found.item() * 1.01


def test_a_mean_over_the_batch_lets_neurons_share_the_examples() -> None:
    """Each of two neurons fires for one of two examples: both have the mean rate 1/2."""
    spikes = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    terms = {
        over: REGULARISERS["lambda2"](1.0, None, target=0.5, over=over)  # type: ignore[call-arg]
        for over in ("batch", "example")
    }
    found = {
        over: evaluate([term], activity(latent=(spikes, None)), {})["lambda2"].item()
        for over, term in terms.items()
    }
    assert found == {"batch": 0.0, "example": 0.5}


def test_the_window_of_rates_against_its_definition() -> None:
    """0.5 [relu(low - r) + relu(r - high)], rates averaged over batch and time."""
    low, high = 0.25, 0.5
    spikes, _ = random_layer(3, 20)
    rate = spikes.numpy().mean((0, 1))
    assert (rate < low).any()
    assert (rate > high).any()
    assert ((low <= rate) & (rate <= high)).any()
    expected = 0.5 * (np.maximum(low - rate, 0) + np.maximum(rate - high, 0)).sum()
    kind: Any = REGULARISERS["lambda1"]
    term = kind(0.5, None, window=(low, high), over="batch")
    found = evaluate([term], activity(latent=(spikes, None)), {})["lambda1"]
    assert found.item() == pytest.approx(expected)


@pytest.mark.parametrize("symbol", ["beta1", "beta2", "lambda1", "lambda2"])
@pytest.mark.parametrize("over", ["example", "batch"])
def test_windows(network: tuple[Activity, dict[str, Tensor]], symbol: str, over: str) -> None:
    kind: Any = REGULARISERS[symbol]

    def value(**aim: Any) -> float:
        return evaluate([kind(1.0, None, over=over, **aim)], *network)[symbol].item()

    assert value(window=(-1e3, 1e3)) == 0
    assert value(window=(0.3, 0.3)) == pytest.approx(value(target=0.3))
    assert 0 < value(window=(0.2, 0.4)) < value(window=(0.3, 0.3))
    inputs = [each.requires_grad_() for each in random_layer(2, 3)]
    inputs[0] = (inputs[0].detach() + 0.1).requires_grad_()

    def term(spikes: Tensor, potential: Tensor) -> Tensor:
        layers = activity(latent=(spikes, potential))
        return evaluate([kind(1.5, None, over=over, window=(0.21, 0.33))], layers, {})[symbol]

    assert term(*inputs).item() > 0
    assert torch.autograd.gradcheck(term, inputs)


def test_coefficients_grow_over_their_warm_up(network: tuple[Activity, dict[str, Tensor]]) -> None:
    terms = [REGULARISERS["lambda1"](2.0, None, warm_up=4.0), REGULARISERS["l2"](1.0)]
    full = evaluate(terms, *network)
    assert full["lambda1"] > 0
    for elapsed, factor in ((0.0, 0.0), (1.0, 0.25), (3.0, 0.75), (4.0, 1.0), (9.0, 1.0)):
        found = evaluate(terms, *network, elapsed)
        assert found["lambda1"].item() == pytest.approx(factor * full["lambda1"].item())
        assert found["l2"] == full["l2"]


@pytest.mark.parametrize(
    ("term", "line"),
    [
        ({"window": [0.1, 0.2], "target": 0.1}, "a target or a window, not both"),
        ({"window": [0.2, 0.1]}, r"expected a window \[low, high\]"),
        ({"window": [0.1]}, "regularisers.lambda1.window"),
        ({"over": "time"}, "regularisers.lambda1.over .*'example' or 'batch'"),
        ({"warm_up": -1}, "regularisers.lambda1.warm_up"),
    ],
)
def test_options_that_are_refused(term: dict[str, Any], line: str) -> None:
    with pytest.raises(NetworkError, match=line):
        TrainingConfig.from_mapping({"regularisers": {"lambda1": {"coefficient": 1, **term}}})


def silent_output(small_run: ModuleType, regularisers: dict[str, Any]) -> TrainingConfig:
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
def test_terms_act_on_layers_that_spike(small_run: ModuleType, layers: str | None) -> None:
    term = {"coefficient": 1.0, **({"layers": layers} if layers else {})}
    config = silent_output(small_run, {"beta1": term, "lambda2": term, "neuron1": term, "l2": term})
    found = {each.symbol: each.layers for each in stages_of(config)[0].regularisers}
    assert found == {
        "beta1": ("hidden",), "lambda2": ("hidden",), "neuron1": ("hidden",), "l2": None,
    }  # fmt: skip
    named = {"coefficient": 1.0, "layers": ["output"]}
    with pytest.raises(NetworkError, match=r"regularisers.beta1: .* on 'output', a layer that nev"):
        stages_of(silent_output(small_run, {"beta1": named}))


def test_a_layer_that_never_spikes_is_not_dead(small_run: ModuleType, tmp_path: Path) -> None:
    problem = small_run.problem(silent_output(small_run, {"beta2": 0.1}))
    result = small_run.fit(problem, tmp_path)
    (metrics,) = result.records
    assert set(metrics["layers"]) == set(result.summary["test_layers"]) == {"hidden"}
    activity = problem.mirror(problem.batch(problem.data.train, 0).drive)
    expected = 0.1 * by_potential(activity.layers["hidden"])
    found = evaluate(problem.stages[0].regularisers, activity, problem.mirror.weights)["beta2"]
    assert found.item() == pytest.approx(expected, rel=1e-5)
    # Its potential is far from 0, and no term acts on it.
    assert by_potential(activity.layers["output"]) > 0


def by_potential(layer: LayerActivity) -> float:
    assert layer.final_potential is not None
    potential = layer.final_potential.detach().flatten(1) / len(layer.spikes)
    return float(potential.square().sum(1).mean())
