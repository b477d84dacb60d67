"""Spiking neurons that choose a tenth of the pixels by a local rule, or have fixed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.common.agreement import COLUMNS, in_both, learning_difference, no_difference
from experiments.common.figures import dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, agreement, claim, control, difference, largest, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bioae.datasets import Data
    from bioae.networks.network import Network

LAYER, RULE = "hidden", "stdp_structural"

#: The arrays of the weights, and of the connections that exist.
WEIGHTS, CONNECTIONS = f"{LAYER}.weight", f"{LAYER}.weight_connected"


def run(trial: Trial) -> Mapping[str, float]:
    """Let the network of the condition learn, and measure its code and its connections."""
    from bioae.datasets import load
    from bioae.networks.network import Network

    sizes = trial.sizes
    data = {"name": sizes["data"], "train": sizes["train"], "test": sizes["test"]}
    learning = {
        "epochs": sizes["epochs"], "target": trial.target, "labelled": sizes["labelled"],
    }  # fmt: skip
    tables = changed(
        trial.settings["tables"],
        {"data": data, "learning": learning, "network": {"steps": sizes["steps"]}},
    )
    learned = trial.train(tables, "learning")
    network, summary = learned.network, learned.summary
    start = Network.initialise(network.config, seed=trial.seed)
    train = load(sizes["data"], "train", sizes["train"])
    few = train[: sizes["few"]]
    return {
        "accuracy": summary["test_assigned_accuracy"],
        "rate_hz": summary["test_rate_hz_mean"],
        "dead": summary["test_dead_fraction"],
        **_connections(start, network, train),
        "differing_numbers": float(learning_difference(start, few, "numpy", "torch")),
        **in_both(trial, network, few).spikes,
    }


def _connections(start: Network, network: Network, train: Data) -> dict[str, float]:
    """Return measures of the connections that exist, if not all do."""
    if CONNECTIONS not in network.weights:
        return {}
    connected = network.weights[CONNECTIONS] != 0
    black = train.as_float().reshape(len(train), -1).max(axis=0) == 0
    at = np.stack(np.unravel_index(np.arange(len(black)), network.config.input_shape[1:]))
    fan_in = connected.sum(1, keepdims=True)
    centres = connected @ at.T / fan_in
    squares = ((at[None] - centres[:, :, None]) ** 2).sum(1)
    radii = np.sqrt((connected * squares).sum(1) / fan_in[:, 0])
    return {
        "black": float(connected[:, black].sum() / connected.sum()),
        "radius": float(radii.mean()),
        "moved": float((connected & (start.weights[CONNECTIONS] == 0)).sum() / connected.sum()),
    }


def draw_accuracies(rows: Rows) -> Figure:
    """Accuracy by the classes of neurons, and the radius of connections: seeds and their mean."""
    return dots(rows, {"accuracy": "accuracy", "radius": "radius of connections (pixels)"})


def _condition(meaning: str, *, quick: bool = True, **structure: Any) -> Condition:
    """Return a condition whose rule has other keys in its structure."""
    from bioae.equations import load_synapse

    rule = load_synapse(RULE).to_mapping()
    rule["structure"] = {**rule["structure"], **structure}
    tables = read("rewiring", {"network": {"synapses": {RULE: rule}}})
    return Condition(meaning, {"tables": tables}, quick=quick)


_WEAKER = {"weight": "0.02", "parameters": {"h_plus": "0.02"}}
_ALL = {"learning": {"rule": "stdp_postsynaptic"}}

EXPERIMENT = Experiment(
    title="Spiking neurons that choose their connections",
    source="ours, after the structural plasticity of Ravichandran, Lansner & Herman 2024 "
    "(arXiv:2406.04733), in spiking neurons",
    claim="Spiking neurons with a tenth of the pixels each, which exchange connections by a local "
    "rule while they learn digits, tell the class better than with fixed connections, by at "
    "least 7 points.",
    conditions={
        "rewired": _condition("connections go to pixels that were active before the spikes"),
        "fixed": _condition("random connections that stay", swaps=0),
        "random": _condition("connections go to random pixels", score="rand()", quick=False),
        "all": Condition(
            "all connections exist, with weaker synapses and smaller steps of the threshold",
            {"tables": read("rewiring", {"network": {"layers": {LAYER: _WEAKER}}, **_ALL})},
            quick=False,
        ),
    },
    columns={
        "accuracy": Column("accuracy by the classes of neurons"),
        "rate_hz": Column("mean firing rate", "Hz"),
        "dead": Column("dead neurons, fraction"),
        "black": Column("connections with pixels that are black in all digits, fraction"),
        "radius": Column("mean radius of a neuron's connections, pixels"),
        "moved": Column("connections that are not initial ones, fraction"),
        "differing_numbers": Column("learned numbers that differ between Brian2 and the mirror"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "data": "mnist", "train": 5_000, "test": 10_000, "labelled": 5_000, "few": 110, "epochs": 3,
        "steps": 50,
    },
    quick={
        "data": "sample", "train": 120, "test": 20, "labelled": 60, "few": 101, "epochs": 1,
        "steps": 20,
    },
    seeds=5,
    criteria=(
        claim("accuracy, less that with fixed connections",
              difference("accuracy", "rewired", "fixed"), ">=", 0.07, -1.0),
        claim("connections with black pixels", mean("black", "rewired"), "<=", 0.01, 0.5),
        control("accuracy with random exchanges, less that with fixed connections",
                difference("accuracy", "random", "fixed"), "<=", 0.03, 1.0),
        control("fixed connections that moved", largest("moved", "fixed"), "<=", 0.0),
        control("dead neurons", largest("dead", "rewired"), "<=", 0.05, 1.0),
        agreement("learned numbers that differ after some digits, rewired",
                  largest("differing_numbers", "rewired"), "<=", 0.0),
        *no_difference(["rewired", "fixed", "random", "all"]),
    ),
    figures={"accuracies": draw_accuracies},
)  # fmt: skip
