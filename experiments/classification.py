"""A small spiking classifier of MNIST: its accuracy, and the same in Brian2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.common.agreement import COLUMNS, OUTPUTS, in_both, no_difference
from experiments.common.figures import draw_accuracy
from experiments.common.recipes import read
from experiments.runner.criteria import agreement, claim, control, largest, mean, smallest
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from bioae.networks.network import Network


def recipe(sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the training configuration, with the data and epochs of some sizes."""
    data = {"name": sizes["data"], "train": sizes["train"]}
    return read("classification", {"data": data, "training": {"epochs": sizes["epochs"]}})


def run(trial: Trial) -> Mapping[str, float]:
    """Classify the test split by the condition's classifier."""
    if trial.settings["classifier"] == "linear":
        return linear(trial.sizes)
    if trial.settings["classifier"] == "untrained":
        network = trial.untrained(recipe(trial.sizes)["network"])
    else:
        network = trial.train(recipe(trial.sizes)).network
    return spiking(trial, network)


def spiking(trial: Trial, network: Network) -> dict[str, float]:
    """Classify in Brian2 and in the mirror, both in float64, and compare them."""
    from bioae.analysis import accuracy
    from bioae.datasets import load

    digits = load(trial.sizes["data"], "test", trial.sizes["test"])
    both = in_both(trial, network, digits)
    found = accuracy(both.result)
    return {
        **{name: float(found[name]) for name in ("accuracy", "low", "high")},
        **both.spikes,
        **both.outputs,
    }


def linear(sizes: Mapping[str, Any]) -> dict[str, float]:
    """Return the accuracy of a logistic regression of the pixels."""
    from sklearn.linear_model import LogisticRegression

    from bioae.datasets import load

    train, test = (load(sizes["data"], split, sizes[split]) for split in ("train", "test"))
    model = LogisticRegression(tol=1e-3, max_iter=1000)
    model.fit(train.as_float().reshape(len(train), -1), train.labels)
    return {"accuracy": float(model.score(test.as_float().reshape(len(test), -1), test.labels))}


EXPERIMENT = Experiment(
    title="A small spiking classifier",
    source="the network and its training are ours",
    claim="A small network of LIF neurons, trained through the mirror, classifies the test split "
    "of MNIST with an accuracy of at least 98.5 %, and Brian2 gives exactly its outputs.",
    conditions={
        "spiking": Condition("two convolutions, 128 hidden neurons", {"classifier": "spiking"}),
        "untrained": Condition("the same with initial weights", {"classifier": "untrained"}),
        "linear": Condition(
            "logistic regression of the pixels", {"classifier": "linear"}, seeds=1,
            may_be_silent=True,
        ),
    },
    columns={
        "accuracy": Column("accuracy"),
        "low": Column("lower end of its 95 % interval (Wilson)"),
        "high": Column("upper end of its 95 % interval (Wilson)"),
        **COLUMNS,
        **OUTPUTS,
    },
    run=run,
    sizes={"data": "mnist", "train": 60_000, "test": 10_000, "epochs": 10},
    quick={"data": "sample", "train": 1000, "test": 100, "epochs": 2},
    seeds=3,
    criteria=(
        claim("accuracy", smallest("accuracy", "spiking"), ">=", 0.985, 0.5),
        *no_difference(["spiking"]),
        agreement("outputs that differ", largest("differing_outputs", "spiking"), "<=", 0.0),
        control("untrained accuracy", mean("accuracy", "untrained"), "<=", 0.3, 0.45),
        control("linear accuracy", mean("accuracy", "linear"), "<=", 0.95),
    ),
    figures={"accuracy": draw_accuracy},
)  # fmt: skip
