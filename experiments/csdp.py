"""Two layers that learn the labels of digits by contrastive-signal-dependent plasticity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bioae.simulation.backend import Backend
from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import dots
from experiments.common.readout import class_accuracy
from experiments.common.recipes import read
from experiments.runner.criteria import Criterion, Rows, difference, largest, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bioae.networks.network import Network
    from bioae.simulation import Learned

CLASSES = 10

#: The step size of Adam, for batches of 500.
LEARNING_RATE = 1e-3

#: The time constant of the traces of the rules.
TAU_MS = 39.0

#: The modulator of the rules.
TRUTH = "truth"


def run(trial: Trial) -> Mapping[str, float]:
    """Let the network of the condition learn, and measure what it knows of labels."""
    from bioae.analysis import goodness
    from bioae.datasets import load

    sizes = trial.sizes
    train = load(sizes["data"], "train", sizes["train"])
    # The first ones served to choose the initial weights.
    test = load(sizes["data"], "test", sizes["chosen_by"] + sizes["test"])[sizes["chosen_by"] :]
    assert train.labels is not None
    network, figures = _start(trial), {}
    if trial.settings["tags"] != "none":
        figures = _learning_difference(network, train.as_float(), train.labels)
        network = _learned(trial, network, train.as_float(), train.labels)
    candidates = np.tile(np.arange(CLASSES), len(test))
    labelled = tagged(np.repeat(test.as_float(), CLASSES, axis=0), candidates)
    shown = trial.simulate(network, labelled, "labels")
    found = sum(goodness(shown, layer, tau_ms=TAU_MS).to_numpy() for layer in shown["layers"])
    chosen = np.asarray(found).reshape(len(test), CLASSES).argmax(1)
    few = train[: sizes["labelled"]]
    codes = _counts(trial.simulate(network, tagged(few.as_float()), "train"))
    both = in_both(trial, network, tagged(test.as_float()[: sizes["few"]]))
    result = trial.simulate(network, tagged(test.as_float()), "test")
    density = _counts(result).mean() / network.config.steps
    return {
        "goodness_accuracy": float((chosen == test.labels).mean()),
        "readout_accuracy": class_accuracy(codes, few.labels, _counts(result), test.labels),
        "density": float(density),
        **figures,
        **both.spikes,
    }


def tagged(
    images: NDArray[np.float64], labels: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return images with a row of label lines on top.

    Parameters
    ----------
    images
        (example, 1, y, x), of at least ten pixels in a row.
    labels
        The class whose line is 1 (example); None: no line.

    Returns
    -------
    NDArray
        (example, 1, y + 1, x).
    """
    lines = np.zeros((len(images), 1, 1, images.shape[-1]))
    if labels is not None:
        lines[np.arange(len(images)), 0, 0, labels] = 1.0
    return np.concatenate([lines, images], axis=2)


def _start(trial: Trial) -> Network:
    return trial.untrained(read("csdp", {"network": {"steps": trial.sizes["steps"]}})["network"])


def _learned(
    trial: Trial, network: Network, images: NDArray[np.float64], labels: NDArray[np.int64]
) -> Network:
    """Return a network that has learned from true and false examples."""
    from bioae.api import learn

    sizes, tags = trial.sizes, trial.settings["tags"]
    draw = np.random.default_rng(trial.seed)
    learned: Learned | None = None
    for epoch in range(sizes["epochs"]):
        half = sizes["batch"] // 2
        order = draw.permutation(len(images))
        wrong = (labels + draw.integers(1, CLASSES, len(labels))) % CLASSES
        parts = [order[k : k + half] for k in range(0, len(order), half)]
        false = labels if tags == "equal" else wrong
        names = np.concatenate([np.concatenate([labels[p], false[p]]) for p in parts])
        truth = np.concatenate([np.repeat([1.0, 0.0], len(part)) for part in parts])
        if tags == "random":
            truth = draw.integers(0, 2, len(truth)).astype(float)
        rows = np.concatenate([np.tile(part, 2) for part in parts])
        learned = learn(
            learned or network, tagged(images[rows], names), Backend("torch", "float32"),
            held={TRUTH: truth}, batch_size=2 * half, optimiser="adam",
            learning_rate=LEARNING_RATE, seed=trial.seed + 1000 * epoch, progress=False,
        )  # fmt: skip
    network = learned.network if learned else network
    return network.quantised(24)  # sums are exact in any order


def _learning_difference(
    network: Network, images: NDArray[np.float64], labels: NDArray[np.int64]
) -> dict[str, float]:
    """Return how far weights that learn without an optimiser, one by one, differ from Brian2's."""
    from bioae.api import learn

    few = tagged(images[:4], labels[:4])
    held = {TRUTH: np.array([1.0, 0.0, 1.0, 0.0])}
    brian = learn(network, few, "numpy", held=held, progress=False).network.weights
    mirror = learn(network, few, "torch", held=held, progress=False).network.weights
    return {
        "increments": max(float(np.abs(brian[n] - network.weights[n]).max()) for n in brian),
        "differing_weights": max(float(np.abs(brian[n] - mirror[n]).max()) for n in brian),
    }


def _counts(result: xr.DataTree) -> NDArray[np.float64]:
    """Return the spikes of all neurons (example, neuron)."""
    counts = [layer["spike_count"].to_numpy() for layer in result["layers"].children.values()]
    codes: NDArray[np.float64] = np.concatenate(counts, axis=1).astype(np.float64)
    return codes


def draw_accuracies(rows: Rows) -> Figure:
    """Accuracy of the label with the largest goodness, and of a linear read-out: seeds, mean."""
    return dots(
        rows,
        {
            "goodness_accuracy": "accuracy by goodness",
            "readout_accuracy": "accuracy of a linear read-out",
        },
    )


EXPERIMENT = Experiment(
    title="Contrastive-signal-dependent plasticity",
    source="Ororbia 2024, Science Advances 10:eadn6076 (arXiv:2303.18187), in small",
    claim="Two layers of spiking neurons that learn by a local rule to be active for digits with "
    "their labels, and silent for digits with wrong ones, know the label of a new digit: it is "
    "that of the largest activity. Without labels, their spikes are a better code of the class "
    "than those of a network that has not learned.",
    source_says="Ororbia says that the rule has a consistent advantage over other biologically "
    "plausible ones in recurrent spiking networks. Here no other rule is compared.",
    conditions={
        "learned": Condition("learned from right and wrong labels", {"tags": "true"}),
        "random_tags": Condition(
            "the same presentations, each called true or false at random", {"tags": "random"},
            may_be_silent=True,
        ),
        "equal": Condition(
            "false examples are the true ones", {"tags": "equal"}, may_be_silent=True, quick=False
        ),
        "frozen": Condition("initial weights", {"tags": "none"}, may_be_silent=True),
    },
    columns={
        "goodness_accuracy": Column("accuracy of the label with the largest goodness"),
        "readout_accuracy": Column("accuracy of a linear read-out, label lines at 0"),
        "density": Column("spikes per neuron and step, label lines at 0"),
        "increments": Column("largest change of a weight by four digits, one by one", shown=False),
        "differing_weights": Column("largest difference of a weight from Brian2 after four digits"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "data": "mnist", "train": 4_000, "chosen_by": 300, "test": 500, "labelled": 2_000,
        "few": 50, "epochs": 5, "batch": 500, "steps": 50,
    },
    quick={
        "data": "sample", "train": 20, "chosen_by": 0, "test": 3, "labelled": 10, "few": 3,
        "epochs": 1, "batch": 10, "steps": 30,
    },
    seeds=5,
    criteria=(
        Criterion(
            "claim", "accuracy by goodness", mean("goodness_accuracy", "learned"), ">=", 0.75, 0.0
        ),
        Criterion(
            "claim", "accuracy of the read-out, less that of initial weights",
            difference("readout_accuracy", "learned", "frozen"), ">=", 0.08, -1.0,
        ),
        Criterion(
            "control", "accuracy by goodness of initial weights",
            mean("goodness_accuracy", "frozen"), "<=", 0.15, 0.9,
        ),
        Criterion(
            "control", "accuracy by goodness with random tags",
            mean("goodness_accuracy", "random_tags"), "<=", 0.4, 0.9,
        ),
        Criterion(
            "agreement", "weights after four digits, one by one: Brian2 less the mirror",
            largest("differing_weights", "learned"), "<=", 1e-6,
        ),
        *no_difference(["learned", "random_tags", "equal", "frozen"]),
    ),
    figures={"accuracies": draw_accuracies},
)  # fmt: skip
