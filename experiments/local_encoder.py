"""Encoders that learn by local rules, read out linearly, compared with learning by gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import dots
from experiments.common.readout import PENALTY, class_accuracy
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Criterion, Rows, difference, largest, mean, ratio
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bioae.datasets import Data
    from bioae.networks.network import Network

#: The layer whose spikes are read out.
LAYER = "hidden"

#: The rules, each with what differs from its file, and the step of the threshold; by validation.
RULES: dict[str, tuple[dict[str, str], str]] = {
    "stdp_postsynaptic": ({}, "0.02"),
    "oja": ({"eta": "0.01"}, "0.2"),
    "stdp_pair": ({"A_plus": "0.01", "A_minus": "0.0105"}, "0.1"),
    "stdp_triplet": ({"A3_plus": "0.02", "A2_minus": "0.01", "A2_plus": "0.02"}, "0.1"),
}


def run(trial: Trial) -> Mapping[str, float]:
    """Let the encoder of the condition learn, and read it out."""
    from bioae.datasets import load

    sizes, kind = trial.sizes, trial.settings["kind"]
    data = {
        split: load(sizes["data"], split, sizes[split]) for split in ("train", "test")
    }  # every condition sees the same digits
    if kind == "pixels":
        codes = {split: each.as_float().reshape(len(each), -1) for split, each in data.items()}
        return readouts(codes, data)
    network = _encoder(trial)
    codes, figures = {}, {}
    for split, images in data.items():
        result = trial.simulate(network, images, split)
        codes[split] = result[f"layers/{LAYER}"]["spike_count"].to_numpy().astype(np.float64)
        figures = _firing(result)
    both = in_both(trial, network, data["test"][: sizes["few"]])
    return {**readouts(codes, data), **figures, **both.spikes}


def _encoder(trial: Trial) -> Network:
    """Return the encoder of a condition."""
    from bioae.networks.network import Network

    sizes, settings = trial.sizes, trial.settings
    data = {"name": sizes["data"], "train": sizes["train"], "test": sizes["few"]}
    steps = {"network": {"steps": sizes["steps"]}}
    if settings["kind"] == "gradient":
        training = {"epochs": sizes["gradient_epochs"]}
        tables = read("local_encoder_gradient", {"data": data, "training": training})
        trained: Network = trial.train(changed(tables, steps)).network
        return trained
    learning = {"epochs": sizes["epochs"], "target": trial.target, "labelled": sizes["few"]}
    tables = changed(settings["tables"], {"data": data, "learning": learning, **steps})
    network: Network = trial.train(tables, settings["name"], share=True).network
    if settings["kind"] != "shuffled":
        return network
    weights = np.array(network.weights[f"{LAYER}.weight"])
    draw = np.random.default_rng(trial.seed)
    shuffled = draw.permuted(weights, axis=1)
    return Network(network.config, {**network.weights, f"{LAYER}.weight": shuffled})


def readouts(
    codes: Mapping[str, NDArray[np.float64]], data: Mapping[str, Data]
) -> dict[str, float]:
    """Return how well linear read-outs, fitted on training images, give test images and classes.

    Parameters
    ----------
    codes
        Numbers of each image, by split (example, number).
    data
        The images, with labels.
    """
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    images = {split: each.as_float().reshape(len(each), -1) for split, each in data.items()}
    train, test = data["train"], data["test"]
    decoder = make_pipeline(StandardScaler(), Ridge(PENALTY))
    decoder.fit(codes["train"], images["train"])
    errors = ((decoder.predict(codes["test"]) - images["test"]) ** 2).sum(1)
    return {
        "error": float(errors.mean()),
        "accuracy": class_accuracy(codes["train"], train.labels, codes["test"], test.labels),
    }


def _firing(result: xr.DataTree) -> dict[str, float]:
    from bioae.analysis import summary

    counts = result[f"layers/{LAYER}"]["spike_count"]
    numbers = summary(result).sel(layer=LAYER)
    return {
        "spikes_per_image": float(counts.sum("neuron").mean()),
        "rate_hz": float(numbers["rate_hz_mean"]),
        "dead": float(numbers["dead_fraction"]),
        "bursting": float(numbers["bursting_fraction"]),
        "silent_images": float((counts.sum("neuron") == 0).mean()),
    }


def draw_readouts(rows: Rows) -> Figure:
    """Linear read-outs of the code, and its spikes: seeds and their mean."""
    return dots(
        rows,
        {
            "error": "squared error per image",
            "accuracy": "accuracy of the class",
            "spikes_per_image": "spikes per image",
        },
        log=["spikes_per_image"],
    )


def _rules() -> dict[str, Condition]:
    from bioae.equations import load_synapse

    found = {}
    for name, (constants, step) in RULES.items():
        rule = load_synapse(name).to_mapping()
        parameters = {**rule["parameters"], **constants}
        network = {
            "synapses": {name: {**rule, "parameters": parameters}},
            "layers": {LAYER: {"parameters": {"h_plus": step}}},
        }
        tables = read("local_encoder", {"network": network, "learning": {"rule": name}})
        found[name] = Condition(
            f"learned by `{name}`",
            {"kind": "learned", "name": name, "tables": tables},
            quick=name == "stdp_postsynaptic",
        )
    return found


def _conditions() -> dict[str, Condition]:
    rules = _rules()
    learned = rules["stdp_postsynaptic"].settings["tables"]
    return {
        **rules,
        "frozen": Condition(
            "initial weights; thresholds learn",
            {"kind": "frozen", "name": "frozen", "tables": read("local_encoder")}, quick=True,
        ),
        "shuffled": Condition(
            "the weights of `stdp_postsynaptic`, those of each neuron shuffled",
            {"kind": "shuffled", "name": "stdp_postsynaptic", "tables": learned}, quick=True,
            may_be_silent=True,
        ),
        "gradient": Condition(
            "the encoder of an auto-encoder that was trained by gradients", {"kind": "gradient"},
            quick=True,
        ),
        "pixels": Condition(
            "the pixels themselves", {"kind": "pixels"}, seeds=1, may_be_silent=True, quick=True
        ),
    }  # fmt: skip


EXPERIMENT = Experiment(
    title="An encoder that learns by a local rule",
    source="the network is that of Diehl & Cook 2015 in small; comparison and rules are ours",
    claim="An encoder of 100 neurons that learns by a local rule alone gives a code from which the "
    "class is read out linearly as well as from that of an auto-encoder trained by gradients, "
    "with a twentieth of its spikes; images are reconstructed less well.",
    source_says="Diehl & Cook say that their network, which learns by STDP and without labels, "
    "classifies 82.9 % of the test digits with 100 excitatory neurons, and 95 % with 6,400. Here "
    "network, training and read-out are others.",
    conditions=_conditions(),
    columns={
        "error": Column("squared error per image of a linear reconstruction"),
        "accuracy": Column("accuracy of a linear read-out of the class"),
        "spikes_per_image": Column("spikes per image"),
        "rate_hz": Column("mean firing rate", "Hz"),
        "dead": Column("dead neurons, fraction"),
        "bursting": Column("bursting neurons, fraction"),
        "silent_images": Column("images without a spike, fraction"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "data": "mnist", "train": 10_000, "test": 10_000, "few": 500, "epochs": 2,
        "gradient_epochs": 20, "steps": 50,
    },
    quick={
        "data": "sample", "train": 200, "test": 50, "few": 5, "epochs": 1, "gradient_epochs": 2,
        "steps": 25,
    },
    seeds=5,
    criteria=(
        Criterion(
            "claim", "accuracy by gradients, less that by the local rule",
            difference("accuracy", "gradient", "stdp_postsynaptic"), "<=", 0.03, 0.2,
        ),
        Criterion(
            "claim", "spikes by the local rule, over those by gradients",
            ratio("spikes_per_image", "stdp_postsynaptic", "gradient"), "<=", 0.05, 0.5,
        ),
        Criterion(
            "claim", "accuracy by the local rule, less that of initial weights",
            difference("accuracy", "stdp_postsynaptic", "frozen"), ">=", 0.2, 0.03,
        ),
        Criterion(
            "claim", "error by the local rule, over that of initial weights",
            ratio("error", "stdp_postsynaptic", "frozen"), "<=", 0.8, 1.0,
        ),
        Criterion(
            "claim", "error by gradients, over that by the local rule",
            ratio("error", "gradient", "stdp_postsynaptic"), "<=", 0.5, 1.5,
        ),
        Criterion(
            "control", "accuracy by the local rule, less that of shuffled weights",
            difference("accuracy", "stdp_postsynaptic", "shuffled"), ">=", 0.2, 0.03,
        ),
        Criterion("control", "dead neurons", largest("dead", "stdp_postsynaptic"), "<=", 0.05, 0.9),
        Criterion("control", "accuracy of the pixels", mean("accuracy", "pixels"), "<=", 0.87, 0.9),
        *no_difference([*RULES, "frozen", "shuffled", "gradient"]),
    ),
    figures={"readouts": draw_readouts},
)  # fmt: skip
