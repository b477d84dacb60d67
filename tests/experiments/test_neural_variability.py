"""The experiment on variability: noise on trained weights, and accuracies of the last epochs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from builders import dense

from bioae.networks import Network, NetworkConfig
from experiments import neural_variability
from experiments.neural_variability import (
    perceptron,
    with_noise,
)


def test_noise_moves_connections_only_and_stays_on_the_grid() -> None:
    layers = [dense("hidden", 40, bias=True), dense("output", shape=[1, 6, 6])]
    config = NetworkConfig.from_mapping(
        {"input_shape": [1, 6, 6], "steps": 4, "layers": layers}, where="test"
    )
    network = Network.initialise(config, seed=0).quantised()
    noisy = with_noise(network, 0.05, seed=1)
    assert (noisy.weights["hidden.bias"] == network.weights["hidden.bias"]).all()
    for name in ("hidden.weight", "output.weight"):
        difference = noisy.weights[name] - network.weights[name]
        assert difference.std() == pytest.approx(0.05, rel=0.1)
        assert (difference * 2**12 == np.round(difference * 2**12)).all()
    again, other = (with_noise(network, 0.05, seed=seed).weights for seed in (1, 2))
    assert (again["hidden.weight"] == noisy.weights["hidden.weight"]).all()
    assert (other["hidden.weight"] != noisy.weights["hidden.weight"]).any()


class _Trial:
    """Trains nothing: the accuracy after n epochs is n / 100."""

    def __init__(self, folder: Path, stop_at: int | None = None) -> None:
        self.folder = folder
        self.asked: list[int] = []
        self.stop_at = stop_at

    def baseline(self, tables: dict[str, Any]) -> Any:
        epochs = tables["training"]["epochs"]
        self.asked.append(epochs)
        if epochs == self.stop_at:
            raise KeyboardInterrupt
        history = [{"validation_accuracy": n / 10} for n in range(1, epochs + 1)]
        return SimpleNamespace(
            summary={"test_accuracy": epochs / 100, "validation_accuracy": 0.5, "epoch": epochs},
            records=history,
            network=f"after {epochs}",
        )


def tables(epochs: int, select: str = "last") -> dict[str, Any]:
    sizes = {"validation": 10, "epochs": epochs, "batch_size": 8}
    settings = {"tables": {"training": {"select": select}}}
    return perceptron(sizes, Path("data.npz"), settings)


def test_accuracies_of_the_last_epochs_are_averaged(tmp_path: Path) -> None:
    trial: Any = _Trial(tmp_path)
    numbers, baseline = neural_variability._trained(trial, tables(8))
    assert trial.asked == [4, 5, 6, 7, 8]
    assert numbers["accuracy"] == pytest.approx(0.06)
    assert numbers["validation"] == pytest.approx(0.6)
    assert (numbers["epoch"], baseline) == (8, "after 8")


def test_an_interrupted_trial_asks_for_no_epoch_again(tmp_path: Path) -> None:
    """A run cannot go back: asking for fewer epochs than it has finished is refused."""
    interrupted: Any = _Trial(tmp_path, stop_at=7)
    with pytest.raises(KeyboardInterrupt):
        neural_variability._trained(interrupted, tables(8))
    trial: Any = _Trial(tmp_path)
    numbers, _ = neural_variability._trained(trial, tables(8))
    assert trial.asked == [7, 8]
    assert numbers["accuracy"] == pytest.approx(0.06)
    again: Any = _Trial(tmp_path)
    assert neural_variability._trained(again, tables(8))[0] == numbers
    assert again.asked == [8]


def test_the_best_epoch_is_trained_once(tmp_path: Path) -> None:
    trial: Any = _Trial(tmp_path)
    numbers, _ = neural_variability._trained(trial, tables(8, "best"))
    assert trial.asked == [8]
    assert numbers == {"accuracy": 0.08, "validation": 0.5, "epoch": 8}
