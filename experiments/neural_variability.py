"""Weights that vary from update to update, against wrong labels and forgetting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bioae.files import write_text
from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, difference, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bioae.datasets import Data
    from bioae.networks.network import Network
    from experiments.baselines.base import Baseline

#: The scale of the noise of the perceptron: that of the first trials, set before any row was run.
SCALE = 0.08

#: The fraction of wrong labels.
FLIPPED = 0.4

#: The epochs over which accuracies are averaged: the last ones.
LAST = 5

#: The coefficient of the squares of weights, chosen by the wrong labels of the validation split.
DECAY = 5e-3

#: The scale of the noise of the auto-encoder, chosen by validation with seed 0.
SPIKING_SCALE = 0.01

#: The tasks of permuted digits that are learned one after another, and the epochs of each.
TASKS, TASK_EPOCHS = 3, 10

#: The standard deviations of the noise on trained weights, with which they are tested.
_DISTURBED = (0.01, 0.02)

_SCORES = "last_epochs.json"


def perceptron(sizes: Mapping[str, Any], data: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a perceptron's training, in the form of a condition."""
    sized = {
        "data": {"name": str(data), "validation": sizes["validation"]},
        "training": {"epochs": sizes["epochs"], "batch_size": sizes["batch_size"]},
    }
    return changed(read("neural_variability", sized), settings["tables"])


def autoencoder(sizes: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a spiking auto-encoder's training, in the form of a condition."""
    data = {"name": sizes["data"], "train": sizes["images"] + sizes["held_out"]}
    data |= {"validation": sizes["held_out"], "test": sizes["digits"]}
    return changed(settings["tables"], {"data": data, "training": {"epochs": 1}})


def run(trial: Trial) -> Mapping[str, float]:
    """Train the network of the condition, and measure it on the test split."""
    kinds = {"labels": classify, "tasks": forget, "digits": reconstruct}
    return kinds[trial.settings["kind"]](trial)


def classify(trial: Trial) -> dict[str, float]:
    """Train a perceptron on digits with wrong labels; test it, and count those that it repeats."""
    from bioae.analysis import memorised_labels
    from bioae.datasets import load
    from bioae.runs.splits import held_out
    from experiments.synthetic import flip_labels

    sizes, settings = trial.sizes, trial.settings
    known = load(sizes["data"], "train", sizes["train"] + sizes["validation"])
    flipped = flip_labels(known, settings["flipped"], classes=10, seed=trial.seed)
    test = load(sizes["data"], "test", sizes["test"])
    data = trial.data(flipped, test)
    tables = perceptron(sizes, Path(data["name"]), settings)
    numbers, baseline = _trained(trial, tables)
    trained, _ = held_out(load(data["name"], "train"), sizes["validation"], trial.seed)
    labels = dict(zip(known.indices.tolist(), np.asarray(known.labels).tolist(), strict=True))
    true = np.array([labels[each] for each in trained.indices.tolist()])
    predicted = baseline.predict(trained).argmax(1)
    memorised = memorised_labels(predicted, np.asarray(trained.labels), true)
    names = ("memorised", "recovered", "correct")
    return numbers | {name: float(memorised[name]) for name in names if memorised[name].notnull()}


def _trained(trial: Trial, tables: dict[str, Any]) -> tuple[dict[str, float], Any]:
    """Train a perceptron; return its accuracies, averaged over the last epochs, and itself."""
    if tables["training"]["select"] == "best":
        trained = trial.baseline(tables)
        numbers = {
            "accuracy": trained.summary["test_accuracy"],
            "validation": trained.summary["validation_accuracy"],
            "epoch": trained.summary["epoch"],
        }
        return numbers, trained.network
    epochs = tables["training"]["epochs"]
    store = trial.folder / _SCORES
    tested = _read_scores(store)
    for epoch in range(max(1, epochs - LAST + 1), epochs + 1):
        # The run of each epoch continues that of the epoch before, bit for bit as one run.
        if str(epoch) in tested and epoch < epochs:
            continue
        trained = trial.baseline(changed(tables, {"training": {"epochs": epoch}}))
        tested[str(epoch)] = trained.summary["test_accuracy"]
        write_text(store, json.dumps(tested), overwrite=True)
    held_out = [metrics["validation_accuracy"] for metrics in trained.records[-LAST:]]
    numbers = {
        "accuracy": float(np.mean([*tested.values()])),
        "validation": float(np.mean(held_out)),
        "epoch": epochs,
    }
    return numbers, trained.network


def _read_scores(store: Path) -> dict[str, float]:
    """Return the accuracies of epochs that were tested before; none if they cannot be read."""
    try:
        scores = json.loads(store.read_text(encoding="utf-8"))
        return {str(int(epoch)): float(score) for epoch, score in scores.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def forget(trial: Trial) -> dict[str, float]:
    """Learn tasks one after another, whose digits have permuted pixels; test each at the end."""
    from bioae.datasets import load
    from bioae.random import named_stream

    sizes = trial.sizes
    known = load(sizes["data"], "train", sizes["train"] + sizes["validation"])
    test = load(sizes["data"], "test", sizes["test"])
    tests: list[Data] = []
    learned: list[float] = []  # after each task, accuracies on the first one
    tables = perceptron(sizes, Path(), trial.settings)
    for task in range(TASKS):
        order = named_stream(trial.seed, "forget", str(task)).permutation(np.prod(test.shape))
        tests.append(_permuted(test, order))
        data = trial.data(_permuted(known, order), tests[-1], f"task{task}")
        network = trial.baseline(changed(tables, {"data": data}), f"task{task}").network
        learned.append(_accuracy(network, tests[0]))
        weights = trial.folder / f"task{task}" / "model" / "weights.safetensors"
        tables = changed(tables, {"baseline": {"initial": str(weights)}})
    others = [_accuracy(network, each) for each in tests[1:]]
    first = {"first": learned[-1], "forgotten": learned[0] - learned[-1]}
    return first | {"tasks": float(np.mean([learned[-1], *others]))}


def _permuted(images: Data, order: NDArray[np.int64]) -> Data:
    """Return images with their pixels in another order."""
    pixels = np.asarray(images.values).reshape(len(images), -1)[:, order]
    return replace(images, values=pixels.reshape(-1, *images.shape))


def _accuracy(network: Baseline, images: Data) -> float:
    return float((network.predict(images).argmax(1) == images.labels).mean())


def reconstruct(trial: Trial) -> dict[str, float]:
    """Train a spiking auto-encoder; its error in Brian2, also with noise on its weights."""
    from bioae.analysis.coding.reconstruction import sum_squared_error
    from bioae.datasets import load

    sizes = trial.sizes
    trained = trial.train(autoencoder(sizes, trial.settings))
    network, digits = trained.network, load(sizes["data"], "test", sizes["digits"])
    both = in_both(trial, network, digits)
    numbers = {
        "error": float(sum_squared_error(both.result).mean()),
        "density": trained.summary["test_layers"]["latent"]["rate_per_step_mean"],
        **both.spikes,
    }
    for scale in _DISTURBED:
        noisy = with_noise(network, scale, trial.seed)
        result = trial.simulate(noisy, digits, f"noise_{scale:g}")
        numbers[f"error_{scale:g}"] = float(sum_squared_error(result).mean())
    return numbers


def with_noise(network: Network, scale: float, seed: int) -> Network:
    """Return a network with normal noise of a scale on the weights of connections, on the grid."""
    from bioae.random import named_stream

    noisy = {
        name: each + named_stream(seed, "with_noise", name).normal(0, scale, each.shape)
        for name, each in network.weights.items()
        if name.endswith(".weight")
    }
    return network.with_weights(noisy).quantised()


def _spiking() -> dict[str, Any]:
    """Return the recipe of soft-reset neurons with fewer channels and steps."""
    layers = {
        "encoder1": {"channels": 16}, "encoder2": {"channels": 32},
        "decoder2": {"shape": [32, 4, 4]}, "decoder1": {"channels": 16},
    }  # fmt: skip
    return read("autoencoders/soft_reset", {"network": {"steps": 24, "layers": layers}})


def _labels(
    text: str, flipped: float = FLIPPED, *, quick: bool = False, **tables: Any
) -> Condition:
    settings = {"kind": "labels", "flipped": flipped, "tables": tables}
    return Condition(text, settings, quick=quick, may_be_silent=True)


def _varied(**keys: Any) -> dict[str, Any]:
    return {"variability": {"scale": SCALE, **keys}}


def _tasks(text: str, **training: Any) -> Condition:
    tables = {"training": {"epochs": TASK_EPOCHS, **training}}
    settings = {"kind": "tasks", "tables": tables}
    return Condition(text, settings, quick=False, may_be_silent=True, first_seed=100)


def _digits(text: str, *, quick: bool = False, **tables: Any) -> Condition:
    settings = {"kind": "digits", "tables": changed(_spiking(), tables)}
    return Condition(text, settings, seeds=3, quick=quick)


def draw_labels(rows: Rows) -> Figure:
    """Accuracy on the test split in the last five epochs, and memorised wrong labels."""
    panels = {"accuracy": "test accuracy", "memorised": "wrong labels memorised"}
    return dots(rows, panels, conditions=_LABELS)


def draw_tasks(rows: Rows) -> Figure:
    """Accuracy on the first of three tasks of permuted digits, and on all, after the third."""
    panels = {"first": "the first task", "tasks": "mean of all tasks"}
    return dots(rows, panels, conditions=_TASKS, same=True)


def draw_autoencoders(rows: Rows) -> Figure:
    """Squared error of the spiking auto-encoders in Brian2, without and with noise on weights."""
    panels = {"error": "trained weights"}
    panels |= {f"error_{scale:g}": f"noise of {scale:g}" for scale in _DISTURBED}
    return dots(rows, panels, conditions=_DIGITS, same=True)


_LABELS = {
    "sgd": _labels("plain gradient descent", quick=True),
    "variability": _labels(f"normal noise, b = {SCALE:g}", quick=True, training=_varied()),
    "laplace": _labels(
        f"Laplace noise, b = {SCALE:g}", training=_varied(distribution="laplace")
    ),
    "uniform": _labels(
        f"uniform noise, b = {SCALE:g}", training=_varied(distribution="uniform")
    ),
    "accumulating": _labels(
        "the same normal noise, which accumulates", quick=True,
        training=_varied(accumulate=True),
    ),
    "weight-decay": _labels(f"`l2 = {DECAY:g}`", regularisers={"l2": DECAY}),
    "early-stopping": _labels(
        "the best epoch by the wrong labels of the validation split", training={"select": "best"}
    ),
    "clean-sgd": _labels("no wrong labels, plain gradient descent", 0.0),
    "clean-variability": _labels(
        f"no wrong labels, normal noise, b = {SCALE:g}", 0.0, training=_varied()
    ),
}  # fmt: skip
_TASKS = {
    "forgetting-sgd": _tasks("three tasks, plain gradient descent"),
    **{
        f"forgetting-{scale:g}": _tasks(
            f"three tasks, normal noise, b = {scale:g}", **_varied(scale=scale)
        )
        for scale in (0.02, 0.05, SCALE)
    },
}
_DIGITS = {
    "autoencoder": _digits("spiking auto-encoder"),
    "autoencoder-variability": _digits(
        f"the same, normal noise, b = {SPIKING_SCALE:g}",
        quick=True,
        training={"variability": {"scale": SPIKING_SCALE}},
    ),
}

EXPERIMENT = Experiment(
    title="Weights that vary, and wrong labels",
    source="Xie, He, Fu, Sato, Tao, Sugiyama (2020), arXiv:2011.06220",
    claim="A perceptron whose weights vary from update to update does not memorise the wrong "
    "labels of 40 % of its training images, and classifies the test split at least 12 points "
    "better than with plain gradient descent. Small noise keeps an earlier task better, too.",
    source_says="Xie et al. say that variability of weights relieves overfitting, the "
    "memorisation of wrong labels, and forgetting. This verdict is that on wrong labels; "
    "forgetting is tested by a mark of ours, on three tasks.",
    source_part="wrong labels",
    conditions=_LABELS | _TASKS | _DIGITS,
    columns={
        "accuracy": Column("test accuracy, mean of the last five epochs"),
        "memorised": Column("wrong labels memorised, fraction"),
        "recovered": Column("wrong labels whose true class is predicted, fraction"),
        "correct": Column("right labels of training images that are predicted, fraction"),
        "validation": Column("accuracy by the labels of the validation split, of the same epochs"),
        "epoch": Column("epoch of the network"),
        "first": Column("test accuracy on the first task after the third"),
        "forgotten": Column("that before the second task, less that after the third"),
        "tasks": Column("test accuracy after the third task, mean of the three"),
        "error": Column("squared error per image in Brian2"),
        **{
            f"error_{scale:g}": Column(f"the same with noise of {scale:g} on the weights")
            for scale in _DISTURBED
        },
        "density": Column("latent density", "spikes per neuron and step"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "data": "mnist", "train": 4000, "validation": 1000, "test": 10_000, "epochs": 60,
        "batch_size": 64, "images": 6000, "held_out": 500, "digits": 500,
    },
    quick={
        "data": "sample", "train": 600, "validation": 100, "test": 500, "epochs": 20,
        "batch_size": 32, "images": 60, "held_out": 20, "digits": 10,
    },
    criteria=(
        claim("gain of accuracy", difference("accuracy", "variability", "sgd"), ">=", 0.12, 0.03,
              source=True),
        claim("memorised labels", mean("memorised", "variability"), "<=", 0.2, 0.3, source=True),
        claim("memorised by SGD", mean("memorised", "sgd"), ">=", 0.7, 0.4, source=True),
        claim("gain on the first task after the third",
              difference("first", "forgetting-0.02", "forgetting-sgd"), ">=", 0.01),
        control("forgetting by SGD", mean("forgotten", "forgetting-sgd"), ">=", 0.02),
        control("all tasks by SGD", mean("tasks", "forgetting-sgd"), ">=", 0.8),
        control("gain with accumulating noise",
                difference("accuracy", "accumulating", "sgd"), "<=", 0.0),
        control("gain without wrong labels",
                difference("accuracy", "clean-variability", "clean-sgd"), ">=", -0.01),
        *no_difference(_DIGITS),
    ),
    groups={
        "Wrong labels": tuple(_LABELS), "Forgetting": tuple(_TASKS),
        "Spiking auto-encoders": tuple(_DIGITS),
    },
    figures={"labels": draw_labels, "tasks": draw_tasks, "autoencoders": draw_autoencoders},
)  # fmt: skip
