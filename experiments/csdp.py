"""Two layers that learn the labels of digits by contrastive-signal-dependent plasticity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bioae.simulation.backend import Backend
from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, agreement, claim, control, difference, largest, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bioae.datasets import Data
    from bioae.networks.network import Network
    from bioae.simulation import Learned

    Held = dict[str, NDArray[np.float64]]

CLASSES, LAYERS = 10, ("first", "second")

#: The step size of Adam, for batches of 500.
LEARNING_RATE = 1e-3

#: The time constant of the traces of the rules.
TAU_MS = 39.0

#: The modulator of the rules.
TRUTH = "truth"

#: The penalty of the linear read-outs, on standardised numbers.
PENALTY = 10.0


def run(trial: Trial) -> Mapping[str, float]:
    """Let the network of the condition learn, and measure what it knows of labels."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from bioae.datasets import load

    settings, rival = trial.settings, "network" in trial.settings
    sizes = {**trial.sizes, **settings}
    train = load(sizes["data"], "train", sizes["train"])
    # The first ones served to choose the initial weights.
    test = load(sizes["data"], "test", sizes["chosen_by"] + sizes["test"])[sizes["chosen_by"] :]
    assert train.labels is not None
    tables = settings.get("network") or read("csdp")["network"]
    network, figures = trial.untrained(tables | {"steps": sizes["steps"]}), {}
    if settings["tags"] != "none":
        figures = _learning_difference(network, train[:4])
        network = _learned(trial, network, train)
    few = train[: sizes["labelled"]]
    codes = _counts(trial.simulate(network, tagged(few.as_float()), "train"))
    readout = make_pipeline(StandardScaler(), RidgeClassifier(PENALTY)).fit(codes, few.labels)
    both = in_both(trial, network, tagged(test.as_float()[: sizes["few"]]))
    result = trial.simulate(network, tagged(test.as_float()), "test")
    output = result["output"].to_numpy() if rival else _goodness(trial, network, test)
    counts = _counts(result)
    return {
        "goodness_accuracy": float((output.argmax(1) == test.labels).mean()),
        "readout_accuracy": float(readout.score(counts, test.labels)),
        "density": float(counts.mean() / network.config.steps),
        **figures,
        **both.spikes,
    }


def tagged(
    images: NDArray[np.float64], labels: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return images with a row of label lines on top (example, 1, y + 1, x).

    `images`: (example, 1, y, x), of at least ten pixels in a row; `labels`: the class whose line is
    1 (example); None: no line.
    """
    lines = np.zeros((len(images), 1, 1, images.shape[-1]))
    if labels is not None:
        lines[np.arange(len(images)), 0, 0, labels] = 1.0
    return np.concatenate([lines, images], axis=2)


def _learned(trial: Trial, network: Network, data: Data) -> Network:
    """Return a network that has learned from true and false examples, or from classes."""
    from bioae.api import learn

    sizes = {**trial.sizes, **trial.settings}
    draw = np.random.default_rng(trial.seed)
    learned: Learned | None = None
    for epoch in range(sizes["epochs"]):
        shown, held = _pass(data, draw, sizes)
        learned = learn(
            learned or network, shown, Backend("torch", "float32"), held=held,
            batch_size=sizes["batch"], optimiser="adam",
            learning_rate=sizes.get("learning_rate", LEARNING_RATE),
            seed=trial.seed + 1000 * epoch, progress=False,
        )  # fmt: skip
    network = learned.network if learned else network
    return network.quantised(24)  # sums are exact in any order


def _pass(data: Data, draw: np.random.Generator, sizes: Mapping[str, Any]) -> tuple[Any, Held]:
    """Return the presentations of a pass, with wrong labels too if the rule needs them."""
    images, labels, half = data.as_float(), np.asarray(data.labels), sizes["batch"] // 2
    order = draw.permutation(len(images))
    if "network" in sizes:
        return (tagged(images[order]), labels[order]), {}
    wrong = (labels + draw.integers(1, CLASSES, len(labels))) % CLASSES
    parts = [order[k : k + half] for k in range(0, len(order), half)]
    false = labels if sizes["tags"] == "equal" else wrong
    names = np.concatenate([np.concatenate([labels[p], false[p]]) for p in parts])
    truth = np.concatenate([np.repeat([1.0, 0.0], len(part)) for part in parts])
    if sizes["tags"] == "random":
        truth = draw.integers(0, 2, len(truth)).astype(float)
    rows = np.concatenate([np.tile(part, 2) for part in parts])
    return tagged(images[rows], names), {TRUTH: truth}


def _goodness(trial: Trial, network: Network, test: Data) -> NDArray[np.float64]:
    """Return the goodness of both layers with the line of each label (example, label)."""
    from bioae.analysis import goodness

    candidates = np.tile(np.arange(CLASSES), len(test))
    labelled = tagged(np.repeat(test.as_float(), CLASSES, axis=0), candidates)
    shown = trial.simulate(network, labelled, "labels")
    found = sum(goodness(shown, layer, tau_ms=TAU_MS).to_numpy() for layer in LAYERS)
    return np.asarray(found).reshape(len(test), CLASSES)


def _learning_difference(network: Network, four: Data) -> dict[str, float]:
    """Return how far weights that learn without an optimiser, one by one, differ from Brian2's."""
    from bioae.api import learn

    rival = network.config.populations
    shown: Any = tagged(four.as_float(), None if rival else four.labels)
    held = {} if rival else {TRUTH: np.array([1.0, 0.0, 1.0, 0.0])}
    shown = (shown, four.labels) if rival else shown
    brian, mirror = (
        learn(network, shown, target, held=held, progress=False).network.weights
        for target in ("numpy", "torch")
    )
    pairs = {"increments": network.weights, "differing_weights": mirror}
    return {k: max(float(np.abs(brian[n] - w[n]).max()) for n in brian) for k, w in pairs.items()}


def _broadcast() -> Condition:
    """Return the condition whose network has a layer of classes, and learns by another rule."""
    from bioae.equations import load_synapse

    tables = read("csdp_rivals")
    network = changed(tables["network"], tables["broadcast"])
    readout = load_synapse("eprop_classification").to_mapping()
    readout["parameters"] |= {"tau_out": "100*ms", "eta": "1"}
    network["neurons"] = read("csdp")["network"]["neurons"]
    network["synapses"] = {"output": readout} | network["synapses"]
    settings = {"tags": "broadcast", "network": network, "learning_rate": 1e-4}
    text = "e-prop without filters: broadcast feedback alignment"
    return Condition(text, settings, 3, may_be_silent=True)


def _counts(result: xr.DataTree) -> NDArray[np.float64]:
    """Return the spikes of the neurons of both layers (example, neuron)."""
    counts = [result[f"layers/{name}"]["spike_count"].to_numpy() for name in LAYERS]
    codes: NDArray[np.float64] = np.concatenate(counts, axis=1).astype(np.float64)
    return codes


def draw_accuracies(rows: Rows) -> Figure:
    """Accuracy of the label with the largest goodness, and of a linear read-out: seeds, mean."""
    titles = {"goodness_accuracy": "by goodness or output", "readout_accuracy": "by a read-out"}
    return dots(rows, titles)


EXPERIMENT = Experiment(
    title="Contrastive-signal-dependent plasticity",
    source="Ororbia 2024, Science Advances 10:eadn6076 (arXiv:2303.18187), in small",
    claim="Two layers of spiking neurons that learn by a local rule to be active for digits with "
    "their labels, and silent for digits with wrong ones, know the label of a new digit: it is "
    "that of the largest activity. Without labels, their spikes are a better code of the class "
    "than those of a network that has not learned.",
    source_says="Ororbia says that the rule has a consistent advantage over other biologically "
    "plausible ones in recurrent spiking networks. Here one of them is compared.",
    source_part="784-300-100 neurons, 4,000 digits",
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
        "broadcast": _broadcast(),
        "more": Condition(
            "as `learned`, 10,000 digits three times",
            {"tags": "true", "train": 10_000, "epochs": 3, "test": 2_000},
            3, quick=False, first_seed=100,
        ),
    },
    columns={
        "goodness_accuracy": Column("accuracy of the label with the largest goodness or output"),
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
        claim("accuracy by goodness", mean("goodness_accuracy", "learned"), ">=", 0.75, 0.0),
        claim("accuracy of the read-out, less that of initial weights",
              difference("readout_accuracy", "learned", "frozen"), ">=", 0.08, -1.0),
        *(
            claim(f"{text}, less that of broadcast",
                  difference(column, "learned", "broadcast"), ">=", 0.02, -1.0, source=True)
            for column, text in {
                "goodness_accuracy": "accuracy by goodness or output",
                "readout_accuracy": "accuracy of the read-out",
            }.items()
        ),
        claim("accuracy by goodness with 10,000 digits",
              mean("goodness_accuracy", "more"), ">=", 0.9),
        control("accuracy by goodness of initial weights",
                mean("goodness_accuracy", "frozen"), "<=", 0.15, 0.9),
        control("accuracy by goodness with random tags",
                mean("goodness_accuracy", "random_tags"), "<=", 0.4, 0.9),
        *(
            agreement(f"weights after four digits, one by one: Brian2 less the mirror{text}",
                      largest("differing_weights", name), "<=", 1e-6)
            for text, name in {"": "learned", ", broadcast": "broadcast"}.items()
        ),
        *no_difference(["learned", "random_tags", "equal", "frozen", "broadcast", "more"]),
    ),
    figures={"accuracies": draw_accuracies},
)  # fmt: skip
