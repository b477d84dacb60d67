"""Trained delays: the order of two spikes, by neurons that fire at coincidences only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bioae.analysis import accuracy
from bioae.random import named_stream
from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import draw_accuracy
from experiments.common.recipes import changed, read
from experiments.runner.criteria import claim, control, difference, largest, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from bioae.datasets import Data
    from bioae.networks.network import Network

#: Pairs of channels, and classes; steps between the spikes of a pair, and those they may begin in.
PAIRS, OFFSET, ONSETS = 4, 10, 20

DELAYS = "output.weight_delay"


def pairs(examples: int, steps: int, *, seed: int, split: str = "train") -> Data:
    """Draw spikes of pairs of channels, of which the pair of the class is in the other order.

    Each channel fires once. In the pair of the class the second channel fires `OFFSET` steps after
    the first, in all others before it. Each pair begins at a random step.
    """
    from bioae.datasets import Data

    draw = named_stream(seed, "delays", split)
    labels = draw.integers(0, PAIRS, examples)
    begins = draw.integers(0, ONSETS, (examples, PAIRS))
    late = OFFSET * (labels[:, None] == np.arange(PAIRS))
    signals = np.zeros((examples, steps, 2 * PAIRS), np.float32)
    rows, columns = np.arange(examples)[:, None], 2 * np.arange(PAIRS)
    signals[rows, begins + OFFSET - late, columns] = 1
    signals[rows, begins + late, columns + 1] = 1
    return Data.of_signals(signals, labels=labels, name="pairs", split=split)


def run(trial: Trial) -> Mapping[str, float]:
    """Train the network of the condition, and test it."""
    sizes, settings = trial.sizes, trial.settings
    tables = changed(read("delays"), settings["changes"])
    tables["training"] |= {"epochs": sizes["epochs"]}
    steps = tables["network"]["steps"]
    train = pairs(sizes["train"], steps, seed=trial.seed)
    test = pairs(sizes["test"], steps, seed=trial.seed, split="test")
    tables["data"] = trial.data(train, test, share=True)
    name = settings.get("network", trial.condition)
    network = trial.train(tables, name, share=True).network
    trained = [n for n in network.weights if "_delay" not in n or "delays" in tables["training"]]
    row = {"parameters": sum(network.weights[n].size for n in trained)}
    if settings.get("shuffled", False):
        order = named_stream(trial.seed, "delays", "shuffled").permutation(2 * PAIRS)
        network = network.with_weights({DELAYS: network.weights[DELAYS][:, order]})
    if DELAYS in network.weights:
        row["aligned"] = _aligned(network)
    row["accuracy"] = float(accuracy(trial.mirror(network, test))["accuracy"])
    return row | in_both(trial, network, test[: sizes["few"]]).spikes


def _aligned(network: Network) -> float:
    """Return the fraction of neurons at which the spikes of their class coincide, within a step."""
    delays = network.delays(network.config.placed[0])["output.weight"]
    own = delays.reshape(PAIRS, PAIRS, 2)[np.arange(PAIRS), np.arange(PAIRS)]
    return float((np.abs(own[:, 0] - own[:, 1] - OFFSET) <= 1).mean())


def _output(**fields: Any) -> dict[str, Any]:
    return {"network": {"layers": {"output": fields}}}


def _recurrent(units: int) -> Condition:
    """Return a condition with a recurrent layer before the output, and no delays."""
    hidden = {
        "kind": "dense", "name": "hidden", "units": units, "recurrent": True, "gain": 2.0,
        "parameters": {"tau": "20*ms"},
    }  # fmt: skip
    output = {**hidden, "name": "output", "units": PAIRS, "recurrent": False}
    tables = {"network": {"layers": (hidden, output)}, "training": {"learning_rate": 0.005}}
    text = f"no delays, {units} recurrent neurons before the output"
    return Condition(text, {"changes": tables}, quick=False)


_TRAINED: dict[str, Any] = {
    "training": {
        "delays": {"output.weight": ("0*ms", "20*ms")}, "learning_rates": {"weight_delay": 0.2},
    }
}  # fmt: skip
_DRAWN = _output(delay=["0*ms", "20*ms"])
_SIZES = (16, 64, 128)
_RECURRENT = {f"recurrent-{units}": _recurrent(units) for units in _SIZES}

EXPERIMENT = Experiment(
    title="Trained delays",
    source="ours; the task is that of coincidence detectors with delay lines (Jeffress 1948)",
    claim="Neurons that fire at coincidences only learn the order of two spikes by their delays, "
    "with an accuracy of at least 95 %, and stay near chance if their weights alone are trained, "
    "with equal delays. A recurrent network with 70 times their parameters is not better.",
    conditions={
        "trained": Condition("delays and weights trained, all delays 10 ms at first",
                             {"changes": _TRAINED}),
        "equal": Condition("weights trained, all delays 10 ms", {"changes": {}}),
        "random": Condition("weights trained, delays drawn from 0 to 20 ms", {"changes": _DRAWN}),
        "drawn": Condition("delays and weights trained, delays drawn at first",
                           {"changes": {**_TRAINED, **_DRAWN}}, quick=False),
        "shuffled": Condition("`trained`, its delays exchanged among channels after training",
                              {"changes": _TRAINED, "network": "trained", "shuffled": True}),
        **_RECURRENT,
    },
    columns={
        "accuracy": Column("accuracy"),
        "parameters": Column("trained parameters"),
        "aligned": Column("neurons at which the spikes of their class coincide, fraction"),
        **COLUMNS,
    },
    run=run,
    sizes={"train": 1000, "test": 500, "few": 100, "epochs": 50},
    quick={"train": 500, "test": 60, "few": 20, "epochs": 40},
    seeds=5,
    criteria=(
        claim("accuracy, trained", mean("accuracy", "trained"), ">=", 0.95, 0.5),
        claim("accuracy with equal delays", mean("accuracy", "equal"), "<=", 0.35),
        claim("accuracy of 64 recurrent neurons, less that of trained delays",
              difference("accuracy", "recurrent-64", "trained"), "<=", 0.0),
        control("accuracy with random delays", mean("accuracy", "random"), "<=", 0.5, 0.6),
        control("accuracy, delays shuffled", mean("accuracy", "shuffled"), "<=", 0.5, 0.6),
        control("largest fraction of neurons with a coincidence, equal delays",
                largest("aligned", "equal"), "<=", 0.0),
        *no_difference(["trained", "equal", "random", "drawn", "shuffled", *_RECURRENT]),
    ),
    figures={"accuracy": draw_accuracy},
)  # fmt: skip
