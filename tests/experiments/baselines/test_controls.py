"""Feed-forward, recurrent and variational baselines against PyTorch and closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from builders import dense, pictures
from finite_differences import assert_gradients
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as oracle

from bioae.datasets import Data
from bioae.runs.splits import Splits
from experiments.baselines.autoencoder import kl_divergence
from experiments.baselines.config import BaselineConfig
from experiments.baselines.problem import BaselineProblem
from experiments.baselines.recurrent import RecurrentModule
from experiments.baselines.stored import conventional_module

STEPS, INPUTS, UNITS, CLASSES = 7, 3, 5, 4
CLASSIFICATION = {"kind": "classification", "classes": CLASSES}
#: A recurrent network of signals, whose decoder averages the outputs over time.
RECURRENT: dict[str, Any] = {
    "input_shape": [INPUTS], "steps": STEPS, "encoder": {"kind": "frames"},
    "decoder": {"kind": "mean"}, "task": CLASSIFICATION, "layers": [
    dense("first", 6), dense("hidden", UNITS, recurrent=True), dense("output", CLASSES), ],
}  # fmt: skip


def config(network: dict[str, Any], baseline: Any, **training: Any) -> BaselineConfig:
    tables = {
        "baseline": baseline, "network": network, "training": {"dtype": "float64", **training}
    }  # fmt: skip
    return BaselineConfig.from_mapping(tables)


def module(network: dict[str, Any], baseline: Any, **training: Any) -> Any:
    """Return a network with random biases, too."""
    built = conventional_module(config(network, baseline, **training))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, each in built.arrays.items():
            if name.endswith(".bias"):
                each.normal_(0.0, 0.5, generator=generator)
    return built


def values(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(1).normal(size=shape)


def copied(theirs: nn.Module, ours: dict[str, Tensor]) -> None:
    """Copy weights into a layer of PyTorch; its second biases are 0."""
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(ours["weight"])  # type: ignore[operator, union-attr]
        theirs.weight_hh_l0.copy_(ours["recurrent"])  # type: ignore[operator, union-attr]
        theirs.bias_ih_l0.zero_()  # type: ignore[operator, union-attr]
        theirs.bias_hh_l0.copy_(ours["bias"])  # type: ignore[operator, union-attr]


ORACLES: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.RNN(6, UNITS, nonlinearity="relu").double(),
    "tanh": lambda: nn.RNN(6, UNITS).double(),
    "lstm": lambda: nn.LSTM(6, UNITS).double(),
}


@pytest.mark.parametrize("cell", ORACLES)
def test_a_recurrent_network_against_modules_of_torch(cell: str) -> None:
    """The same weights in the classes of torch.nn, with the other vector of biases."""
    ours = module(RECURRENT, {"kind": "recurrent", "cell": cell})
    assert isinstance(ours, RecurrentModule)
    arrays = ours.arrays
    gates = 4 if cell == "lstm" else 1
    assert {name: tuple(each.shape) for name, each in arrays.items()} == {
        "first.weight": (6, INPUTS), "first.bias": (6,),
        "hidden.weight": (gates * UNITS, 6), "hidden.recurrent": (gates * UNITS, UNITS),
        "hidden.bias": (gates * UNITS,),
        "output.weight": (CLASSES, UNITS), "output.bias": (CLASSES,),
    }  # fmt: skip
    theirs = ORACLES[cell]()
    copied(theirs, {name[7:]: each for name, each in arrays.items() if name[:7] == "hidden."})
    signals = values(8, STEPS, INPUTS)
    found = ours(ours.inputs(signals))
    inputs = torch.from_numpy(signals).swapaxes(0, 1)
    hidden = theirs(torch.relu(inputs @ arrays["first.weight"].T + arrays["first.bias"]))[0]
    outputs = hidden @ arrays["output.weight"].T + arrays["output.bias"]
    torch.testing.assert_close(found.layers["hidden"], hidden, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.output, outputs.mean(0), rtol=1e-12, atol=1e-12)
    assert found.output.std() > 0.01
    gradients = [
        torch.autograd.grad(out.square().sum(), [*arrays.values()][:2], retain_graph=True)
        for out in (found.output, outputs.mean(0))
    ]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_spiking_long_short_term_memory_against_the_cell_of_torch() -> None:
    """One layer hands on spikes, the last one membranes; thresholds are low, so that both reset."""
    layers = [dense(name, UNITS, recurrent=True) for name in ("hidden", "last")]
    described = {**RECURRENT, "layers": [*layers, dense("output", CLASSES)]}
    ours = module(described, {"kind": "recurrent", "cell": "slstm"})
    signals, arrays = values(8, STEPS, INPUTS), ours.arrays
    assert ((arrays["hidden.threshold"] > 0) & (arrays["hidden.threshold"] < 0.2)).all()
    found = ours(ours.inputs(signals))
    emitted = torch.from_numpy(signals).swapaxes(0, 1)
    for name in ("hidden", "last"):
        own = {key: arrays[f"{name}.{key}"] for key in ("weight", "recurrent", "bias", "threshold")}
        membrane = cell = torch.zeros(8, UNITS, dtype=torch.float64)
        membranes, weights = [membrane], (own["weight"], own["recurrent"], own["bias"])
        for each in emitted:
            fired = membranes[-1] > own["threshold"]
            state = [membranes[-1], cell]
            output, cell = torch.lstm_cell(each, state, *weights, torch.zeros_like(own["bias"]))
            membranes.append(output - fired * own["threshold"])
        outputs = torch.stack(membranes[1:])
        emitted = (outputs > own["threshold"]).double()
        assert 0.1 < emitted.mean() < 0.9
        wanted = emitted if name == "hidden" else outputs
        torch.testing.assert_close(found.layers[name], wanted, rtol=1e-12, atol=1e-12)
    assert set(found.layers["hidden"].unique().tolist()) == {0.0, 1.0}
    found.output.square().sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in arrays.values())


def test_initial_weights() -> None:
    def drawn(cell: str, **layer: Any) -> dict[str, Tensor]:
        layers = [dense("hidden", 60, recurrent=True, **layer), dense("output", CLASSES)]
        network = {**RECURRENT, "input_shape": [200], "layers": layers}
        built = conventional_module(config(network, {"kind": "recurrent", "cell": cell}))
        return {name: each.detach() for name, each in built.arrays.items()}

    for cell, gain in (("relu", 2.0), ("tanh", 1.0)):
        arrays = drawn(cell, recurrent_gain=0.5)
        square = arrays["hidden.recurrent"]
        torch.testing.assert_close(square @ square.T, 0.25 * torch.eye(60, dtype=torch.float64))
        weight = arrays["hidden.weight"]
        assert weight.var().item() * 200 == pytest.approx(gain, rel=5 * math.sqrt(2 / 12_000))
        assert not arrays["hidden.bias"].any()
    square = drawn("tanh")["hidden.recurrent"]
    torch.testing.assert_close(square @ square.T, torch.eye(60, dtype=torch.float64))
    arrays = drawn("lstm")
    for name in ("weight", "recurrent"):
        largest = arrays[f"hidden.{name}"].abs().max().item() * math.sqrt(60)
        assert 0.99 < largest <= 1
    assert arrays["hidden.bias"].view(4, 60).sum(1).tolist() == [0, 60, 0, 0]
    again, other = (module(RECURRENT, "recurrent", seed=seed).arrays for seed in (0, 1))
    assert not torch.equal(again["hidden.recurrent"], other["hidden.recurrent"])


def problem(network: dict[str, Any], baseline: Any, data: Any, **training: Any) -> BaselineProblem:
    built = config(network, baseline, **training)
    return BaselineProblem(built, conventional_module(built), Splits(data, data, data))


@pytest.mark.parametrize("cell", [*ORACLES, None])
def test_the_gradient_reaches_all_arrays(cell: str | None) -> None:
    if cell is None:
        images = Data.of_images(pictures(6, 1, 3, 4), name="noise")
        task = problem(LINEAR, {"kind": "variational", "beta": 0.7}, images)
    else:
        signals = Data.of_signals(values(6, STEPS, INPUTS), labels=np.arange(6) % CLASSES)
        task = problem(RECURRENT, {"kind": "recurrent", "cell": cell}, signals)
    batch = task.batch(task.data.train, 2)

    def loss() -> Tensor:
        return task.terms(batch, task.stages[0], 0.0)["loss"]

    loss().backward()  # type: ignore[no-untyped-call]
    for name, weight in task.weights.items():
        assert weight.grad is not None
        assert weight.grad.any(), name
    assert_gradients(loss, task.weights, every=7, tolerance=1e-7)
    assert [*task.synaptic] == [name for name in task.weights if not name.endswith("bias")]


LINEAR: dict[str, Any] = {
    "input_shape": [1, 3, 4],
    "latent": "latent",
    "layers": [dense("latent", 2), dense("output", shape=[1, 3, 4])],
}


def test_the_divergence_and_its_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(5, 3, 2, generator=generator, dtype=torch.float64).requires_grad_()
    log_variance = torch.randn(5, 3, 2, generator=generator, dtype=torch.float64).requires_grad_()
    found = kl_divergence(mean, log_variance)
    gaussian = Independent(Normal(mean, torch.exp(log_variance / 2)), 2)
    standard = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 2)
    assert found.item() == pytest.approx(oracle(gaussian, standard).mean().item(), rel=1e-12)
    found.backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert torch.allclose(mean.grad, mean / 5)
    assert torch.allclose(log_variance.grad, (log_variance.exp() - 1) / 10)
    zero = torch.zeros(4, 7)
    assert kl_divergence(zero, zero).item() == 0
