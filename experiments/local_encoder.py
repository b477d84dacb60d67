"""The network of Diehl & Cook (2015), which learns digits without labels, by a local rule."""

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
    from numpy.typing import NDArray

    from bioae.datasets import Data
    from bioae.networks.network import Network

#: The population whose spikes count, and its weights that learn.
LAYER, WEIGHTS = "exc", "exc.from_input"

#: What keeps weights as they are; and thresholds too, with weights that normalisation made large.
WEIGHTS_STAY = {"synapses": {"power_law": {"parameters": {"eta": "0"}}}}
ALL_STAYS = {
    "synapses": {"power_law": {"parameters": {"eta": "0", "w_max": "1000"}}},
    "neurons": {"excitatory": {"parameters": {"theta_plus": "0*mV"}}},
}

#: Euler's method is unstable if 24 inhibitory neurons fire in a step, as they did among 400.
STABLE = {"neurons": {"excitatory": {"method": "exponential_euler"}}}


def run(trial: Trial) -> Mapping[str, float]:
    """Let the network of the condition learn, and test it by the classes of its neurons."""
    from bioae.datasets import load

    sizes, settings = trial.sizes, trial.settings
    tables = changed(_tables(sizes, settings), {"learning": {"target": trial.target}})
    learned = trial.train(tables, settings["name"], share=True)
    network, records = learned.network, learned.records
    draw = np.random.default_rng(trial.seed)
    if settings["shuffled"]:
        weights = draw.permuted(network.weights[WEIGHTS], axis=1)
        network = network.with_weights({WEIGHTS: weights})
    train = load(sizes["data"], "train", sizes["labelled"])
    test = load(sizes["data"], "test", sizes["test"])
    counts, tested = (_counts(trial, network, tables, each) for each in (train, test))
    start, few = trial.untrained(tables["network"]), train[: sizes["few"]]
    teaching = {key: tables["learning"][key] for key in ("normalise", "repeat")}
    differing = learning_difference(start, few, trial.target, "numpy", **teaching)
    return {
        "accuracy": _accuracy(counts, train.labels, tested, test.labels),
        "mixed_accuracy": _accuracy(
            counts, draw.permutation(np.asarray(train.labels)), tested, test.labels
        ),
        "spikes_per_digit": float(tested.sum(1).mean()),
        "dead": float((counts.sum(0) == 0).mean()),
        "presentations": sum(each["shown"] for each in records) / records[-1]["presentations"],
        "minutes": sum(each["seconds"] for each in records) / 60 / tables["learning"]["epochs"],
        "differing_weights": float(differing),
        **in_both(trial, network, test[: sizes["few"]]).spikes,
    }


def _tables(sizes: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a condition."""
    few, side = sizes["few"], settings["side"] // sizes["shrink"]
    digits = sizes["train"] // settings["part"]
    size = {
        "data": {"name": sizes["data"], "train": digits, "validation": 1, "test": few},
        "network": {
            "steps": sizes["steps"],
            "rest": sizes["rest"],
            "task": {"outputs": side**2},
            "populations": {name: {"shape": [1, side, side]} for name in ("inh", LAYER)},
        },
        "learning": {
            "epochs": settings["passes"],
            "labelled": few,
            "repeat": {"most": sizes["most"]},
        },
    }
    return changed(read("local_encoder", size), settings["tables"])


def _counts(
    trial: Trial, network: Network, tables: Mapping[str, Any], data: Data
) -> NDArray[np.int64]:
    """Return the spikes for each digit (digit, neuron) of its last presentation; nothing learns."""
    from bioae.api import learn
    from bioae.networks import Network, NetworkConfig

    fixed = NetworkConfig.from_mapping(changed(tables["network"], ALL_STAYS))
    network = Network(fixed, network.weights)
    repeat = tables["learning"]["repeat"]
    found = learn(network, data, trial.target, seed=trial.seed, repeat=repeat).result
    last = np.diff(found["shown"].to_numpy(), append=-1) != 0
    counts: NDArray[np.int64] = found[f"layers/{LAYER}"]["spike_count"].to_numpy()[last]
    return counts


def _accuracy(
    counts: NDArray[np.int64], labels: Any, tested: NDArray[np.int64], classes: Any
) -> float:
    """Return the accuracy if each neuron stands for the class of its largest mean response."""
    digits = np.arange(10)
    means = np.stack([counts[labels == each].mean(0) for each in digits])
    members = (means.argmax(0) == digits[:, None]) & (means.max(0) > 0)
    responses = tested @ members.T / np.maximum(members.sum(1), 1)
    return float((responses.argmax(1) == classes).mean())


def draw_accuracies(rows: Rows) -> Figure:
    """Accuracy on the test split, and spikes per digit: seeds and their mean."""
    return dots(rows, {"accuracy": "accuracy", "spikes_per_digit": "spikes per digit"})


def _condition(
    text: str, name: str, *, side: int = 10, passes: int = 1, part: int = 1,
    tables: Mapping[str, Any] | None = None, shuffled: bool = False, **others: Any,
) -> Condition:  # fmt: skip
    settings = {
        "name": name, "side": side, "passes": passes, "part": part, "tables": tables or {},
        "shuffled": shuffled,
    }  # fmt: skip
    return Condition(text, settings, may_be_silent=shuffled, **others)


EXPERIMENT = Experiment(
    title="Digits learned without labels: the network of Diehl & Cook",
    source="Diehl & Cook (2015), Frontiers in Computational Neuroscience 9:99, "
    "[doi:10.3389/fncom.2015.00099](https://doi.org/10.3389/fncom.2015.00099)",
    claim="Excitatory neurons with inhibitory partners, conductances, adaptive thresholds and "
    "STDP at spikes of the target learn digits without labels in Brian2's C++: 100 neurons "
    "classify at least 82.5 % of the test digits after one pass over 60,000, and 400 neurons at "
    "least 86.7 % after three.",
    source_says="Diehl & Cook say that their network, which learns by STDP and without labels, "
    "classifies 82.9 % of the test digits with 100 excitatory neurons, and 87.0 % with 400. The "
    "margin is the standard deviation of an accuracy on 10,000 digits, 0.4 and 0.3 points.",
    conditions={
        "exc-100": _condition("100 excitatory neurons, one pass", "exc-100"),
        "exc-400": _condition(
            "400 excitatory neurons, three passes, exponential Euler", "exc-400", side=20, passes=3,
            tables={"network": STABLE}, quick=False, first_seed=100,
        ),
        "frozen": _condition(
            "100 excitatory neurons, initial weights; thresholds learn, from a sixth of the digits",
            "frozen", part=6, tables={"network": WEIGHTS_STAY},
        ),
        "shuffled": _condition(
            "the weights of `exc-100`, those of each neuron shuffled", "exc-100", shuffled=True
        ),
    },
    columns={
        "accuracy": Column("accuracy on the test split"),
        "mixed_accuracy": Column("the same, with classes of neurons by shuffled labels"),
        "spikes_per_digit": Column("spikes per test digit"),
        "dead": Column("neurons that are silent for all labelled digits, fraction"),
        "presentations": Column("presentations per digit while it learns"),
        "minutes": Column("duration of a pass", "min"),
        "differing_weights": Column("learned numbers that differ between C++ and NumPy"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "data": "mnist", "train": 60_000, "labelled": 10_000, "test": 10_000, "few": 3,
        "steps": 700, "rest": "150*ms", "most": 20, "shrink": 1,
    },
    quick={
        "data": "sample", "train": 12, "labelled": 10, "test": 10, "few": 2, "steps": 100,
        "rest": "5*ms", "most": 2, "shrink": 5,
    },
    seeds=3,
    criteria=(
        claim("accuracy, 100 neurons", mean("accuracy", "exc-100"), ">=", 0.825, -1.0, source=True),
        claim("accuracy, 400 neurons", mean("accuracy", "exc-400"), ">=", 0.867, -1.0, source=True),
        control("accuracy, less that of initial weights",
                difference("accuracy", "exc-100", "frozen"), ">=", 0.2, -1.0),
        control("accuracy, less that of shuffled weights",
                difference("accuracy", "exc-100", "shuffled"), ">=", 0.2, -1.0),
        control("accuracy with classes by shuffled labels",
                largest("mixed_accuracy", "exc-100"), "<=", 0.25, 1.0),
        control("silent neurons", largest("dead", "exc-100"), "<=", 0.05, 1.0),
        agreement("learned numbers that differ between C++ and NumPy, 100 neurons",
                  largest("differing_weights", "exc-100"), "<=", 0.0),
        *no_difference(["exc-100", "exc-400"]),
    ),
    figures={"accuracies": draw_accuracies},
)  # fmt: skip
