"""Gradients of recurrent RadLIF layers over long times, and their accuracy next to an LSTM's."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bioae.experiments.runner.criteria import (
    Criterion,
    difference,
    largest,
    ratio,
    smallest,
    values_of,
)
from bioae.experiments.runner.experiment import Column, Condition, Experiment
from bioae.experiments.runner.figures import dots
from bioae.experiments.runner.trial import Trial, fewest_spikes

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from bioae.datasets import Signals
    from bioae.networks.network import Network

__all__ = ["EXPERIMENT", "draw_accuracy", "draw_gradients", "draw_growth", "recipe", "run"]

#: The ranges of the paper, from which each neuron's parameters are drawn.
SPREAD: dict[str, list[str]] = {
    "alpha": ["exp(-1/5)", "exp(-1/25)"],
    "beta": ["exp(-1/30)", "exp(-1/120)"],
    "a": ["-1", "1"],
    "b": ["0", "2"],
}

#: Gains of the recurrent weights, and the lags in steps at which gradients are measured.
GAINS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
LAGS = (10, 20, 50, 100, 200, 500)
#: The number of bisections between two gains: the critical gain is known to a factor 2^(1/8).
_BISECTIONS = 3
#: The gain of the weights from the input, at which the layers fire in the required range.
_INPUT_GAIN = 3.0
#: The largest and smallest norm that is measured.
_RANGE = 1e-300, 1e300

Sample = tuple[NDArray[np.float64], NDArray[np.float64]]


def recipe(name: str, task: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the training configuration of a network for a task.

    Parameters
    ----------
    name
        ``"radlif"`` or ``"lstm"``.
    task
        The path of the data, the points and channels of a signal, and the number of classes.
    sizes
        The sizes of the form.
    """
    text = (files("bioae.experiments") / "radlif.toml").read_text(encoding="utf-8")
    tables: dict[str, Any] = tomllib.loads(text)[name]
    layers = tables["network"]["layers"]
    layers[-1]["units"] = task["classes"]
    if name == "radlif":
        for layer in layers[:-1]:
            layer["spread"] = SPREAD
    tables["data"] = {"name": task["data"], "validation": sizes["validation"]}
    tables["network"] |= {
        "input_shape": [task["channels"]],
        "steps": task["points"],
        "task": {"kind": "classification", "classes": task["classes"]},
    }
    epochs = min(tables["training"]["epochs"], sizes["epochs"])
    tables["training"] = tables["training"] | {"epochs": epochs}
    return tables


def run(trial: Trial) -> Mapping[str, float]:
    """Measure gradients, or train and test a classifier."""
    if "units" in trial.settings:
        return gradients(trial)
    return classify(trial)


# Gradients


def gradients(trial: Trial) -> dict[str, float]:
    """Measure gradient norms of an untrained layer over a range of gains, and its critical gain."""
    lags = trial.sizes["lags"]
    measured = {gain: sample(trial, gain) for gain in GAINS}
    numbers: dict[str, float] = {
        f"norm.g{gain:g}.t{lag}": float(norm)
        for gain, (norms, _) in measured.items()
        for lag, norm in zip(lags, norms, strict=True)
    }
    exploding = [gain for gain in GAINS if growth(measured[gain]) > 0]
    if not exploding or exploding[0] == GAINS[0]:
        return numbers  # the gain is outside of the range: no critical gain
    above = exploding[0]
    below = GAINS[GAINS.index(above) - 1]
    for _ in range(_BISECTIONS):
        middle = float(np.sqrt(below * above))
        measured[middle] = sample(trial, middle)
        below, above = (below, middle) if growth(measured[middle]) > 0 else (middle, above)
    numbers |= {
        "critical_gain": above,
        "growth_above": growth(sample(trial, 2 * above)),
    }
    if trial.settings["units"] != "radlif":
        return numbers
    rates = {gain: spikes.mean() for gain, (_, spikes) in measured.items() if gain <= above}
    fewest = min(float(spikes.sum()) for gain, (_, spikes) in measured.items() if gain in rates)
    return numbers | {
        "rate_lowest": float(min(rates.values())),
        "rate_highest": float(max(rates.values())),
        "silent": float((measured[above][1] == 0).mean()),
        "spikes": fewest * trial.sizes["burn_in"],
    }


def growth(sampled: Sample) -> float:
    """Return the decimal logarithm of the last norm over the first; infinite on overflow."""
    first, *_, last = sampled[0]
    return float(last - first) if np.isfinite(last) else float("inf")


def sample(trial: Trial, gain: float) -> Sample:
    """Return the decimal logarithms of gradient norms (lag), and the rates of the units (unit).

    The norms are geometric means over the examples; rates are spikes per neuron and step.
    """
    import torch

    from bioae.random import stream
    from bioae.trainers.gradients import gradient_norms, layer_outputs

    sizes = trial.sizes
    layer = (
        spiking(trial, gain) if trial.settings["units"] == "radlif" else conventional(trial, gain)
    )
    steps = sizes["burn_in"] + max(sizes["lags"])
    shape = (steps, sizes["examples"], sizes["units"])
    inputs = torch.from_numpy(stream(trial.seed, 1).standard_normal(shape))
    respond = layer_outputs(layer)
    norms = gradient_norms(respond, inputs, sizes["lags"], seed=trial.seed)
    with torch.no_grad():
        rates = respond(inputs)[sizes["burn_in"] :].mean((0, 1)).numpy()
    low, high = _RANGE
    norms = np.where(np.isfinite(norms) & (norms < high), norms.clip(low), np.nan)
    return np.log10(norms).mean(axis=1), rates


def spiking(trial: Trial, gain: float) -> Any:
    """Return the mirror of a recurrent layer with orthogonal weights, in float64."""
    import torch

    from bioae.networks import Network, NetworkConfig
    from bioae.trainers import NetworkMirror, derivative

    units = trial.sizes["units"]
    layer = {
        "kind": "dense", "name": "layer", "units": units, "neuron": "radlif", "recurrent": True,
        "initial": "orthogonal", "gain": _INPUT_GAIN, "recurrent_gain": gain,
        "spread": SPREAD | {"a": trial.settings["a"]},
    }  # fmt: skip
    config = NetworkConfig.from_mapping(
        _untrained(trial, layer) | {"schedule": "paper", "decoder": {"kind": "count"}},
        where="radlif",
    )
    mirror = NetworkMirror(
        Network.initialise(config, seed=trial.seed),
        derivative=derivative("boxcar"),
        dtype=torch.float64,
        compile=trial.sizes["compile"],
    )
    return mirror.layers["layer"]


def conventional(trial: Trial, gain: float) -> Any:
    """Return a recurrent layer of conventional units with orthogonal weights, in float64."""
    from bioae.trainers import BaselineConfig
    from bioae.trainers.baselines.recurrent import RecurrentModule

    layer = {
        "kind": "dense", "name": "layer", "units": trial.sizes["units"], "recurrent": True,
        "recurrent_gain": gain,
    }  # fmt: skip
    tables = {
        "baseline": {"kind": "recurrent", "cell": trial.settings["units"]},
        "network": _untrained(trial, layer) | {"decoder": {"kind": "mean"}},
        "training": {"seed": trial.seed, "dtype": "float64"},
    }
    (module,) = RecurrentModule(BaselineConfig.from_mapping(tables, where="radlif")).layers
    return module


def _untrained(trial: Trial, layer: Mapping[str, Any]) -> dict[str, Any]:
    sizes = trial.sizes
    return {
        "input_shape": [sizes["units"]],
        "steps": sizes["burn_in"] + max(sizes["lags"]),
        "encoder": {"kind": "frames"},
        "task": {"kind": "classification", "classes": sizes["units"]},
        "layers": [layer],
    }


# Classifiers


def classify(trial: Trial) -> dict[str, float]:
    """Train a classifier and return its accuracy on the test split, which is used once."""
    from bioae.datasets import save

    sizes, settings = trial.sizes, trial.settings
    train, test = DATA[settings["task"]](trial)
    if settings["classifier"] == "linear":
        return {"accuracy": linear(train, test)}
    path = save(trial.folder / "data.npz", train, test, overwrite=True)
    assert train.labels is not None
    task = {
        "data": str(path), "points": train.points, "channels": train.shape[0],
        "classes": int(train.labels.max()) + 1,
    }  # fmt: skip
    tables = recipe(settings["classifier"], task, sizes)
    if settings["classifier"] == "lstm":
        outputs = trial.baseline(tables).baseline.predict(test)
        return {"accuracy": float((outputs.argmax(axis=1) == test.labels).mean())}
    return in_brian2(trial, trial.train(tables).network, test)


def in_brian2(trial: Trial, network: Network, test: Signals) -> dict[str, float]:
    """Classify in Brian2 and in the mirror, both in float64, and compare their spikes."""
    from bioae.analysis import accuracy, differing_spikes

    result, mirror = trial.simulate(network, test), trial.mirror(network, test)
    spikes = differing_spikes(result, mirror)
    hidden = [layer for layer in network.config.placed if layer.can_fire]
    rates = [
        float(result[f"layers/{each.name}"]["spike_count"].mean()) / network.config.steps
        for each in hidden
    ]
    return {
        "accuracy": float(accuracy(result)["accuracy"]),
        "differing_spikes": int(spikes["differing"].sum()),
        "rate_lowest": min(rates),
        "rate_highest": max(rates),
        "spikes": fewest_spikes(network, result),
    }


def linear(train: Signals, test: Signals) -> float:
    """Return the accuracy of a logistic regression of the mean over time."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000)
    model.fit(train.signals.mean(axis=1), train.labels)
    return float(model.score(test.signals.mean(axis=1), test.labels))


def _rows(trial: Trial) -> tuple[Signals, Signals]:
    """Return digits, a row per step from top to bottom."""
    from bioae.datasets import load
    from bioae.datasets.synthetic import permuted_rows

    sizes = trial.sizes
    train, test = (
        permuted_rows(load(sizes["digits"], split, sizes[split]), seed=None)
        for split in ("train", "test")
    )
    return train, test


def _segments(trial: Trial) -> tuple[Signals, Signals]:
    """Return sequences whose class is the order of their segments."""
    from bioae.datasets.synthetic import ordered_segments

    train, test = (
        ordered_segments(trial.sizes[f"sequences_{split}"], seed=trial.seed, split=split)
        for split in ("train", "test")
    )
    return train, test


#: The training and test examples of the tasks.
DATA: dict[str, Callable[[Trial], tuple[Signals, Signals]]] = {
    "rows": _rows,
    "segments": _segments,
}

# Figures


def draw_gradients(rows: xr.Dataset) -> Figure:
    """Gradient norm against time for several gains of the recurrent weights: means over seeds."""
    from bioae.analysis.plots.style import colour_of, new_figure, styled

    names = [name for name in ("relu", "tanh", "radlif") if name in rows["condition"]]

    @styled
    def draw() -> Figure:
        figure = new_figure(2.8 * len(names), 2.6)
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, names, strict=True):
            for place, gain in enumerate((1, 4, 16, 32)):
                columns = {lag: f"norm.g{gain}.t{lag}" for lag in LAGS}
                means = [values_of(rows, column, name).mean() for column in columns.values()]
                axes.plot(list(columns), means, color=colour_of(place), label=f"gain {gain}")
            axes.set(title=name, xlabel="lag in steps", ylim=(-20, 20))
        panels[0].set_ylabel("log10 of the norm")
        panels[-1].legend()
        return figure

    return draw()


def draw_growth(rows: xr.Dataset) -> Figure:
    """Critical gain, above which gradients explode: seeds and their mean."""
    kept = [name for name in ("relu", "tanh", "radlif", "stable") if name in rows["condition"]]
    return dots(rows.sel(condition=kept), {"critical_gain": "critical gain"})


def draw_accuracy(rows: xr.Dataset) -> Figure:
    """Accuracy on the test split: seeds and their mean."""
    kept = [str(name) for name in rows["condition"].to_numpy() if "-" in str(name)]
    return dots(rows.sel(condition=kept), {"accuracy": "accuracy"})


def _gradient_condition(text: str, units: str, **settings: Any) -> Condition:
    return Condition(text, {"units": units, **settings}, may_be_silent=units != "radlif", seeds=5)


def _classifier(text: str, task: str, classifier: str, **fields: Any) -> Condition:
    silent = classifier != "radlif"
    settings = {"task": task, "classifier": classifier}
    return Condition(text, settings, may_be_silent=silent, **fields)


EXPERIMENT = Experiment(
    title="Gradients of recurrent spiking layers over long times",
    source="Bittar & Garner (2022), [arXiv:2212.01187](https://arxiv.org/abs/2212.01187)",
    claim="The recurrent weights of a layer of RadLIF neurons that fires normally can be scaled by "
    "at least 8 times the gain of rectified units before gradients explode over 500 steps, and "
    "such layers classify sequences within 2 points of long short-term memory.",
    conditions={
        "radlif": _gradient_condition(
            "untrained layer of RadLIF neurons, parameters of the paper's ranges", "radlif",
            a=SPREAD["a"],
        ),
        "stable": _gradient_condition(
            "the same with a from 0 to 1: every neuron is stable", "radlif", a=["0", "1"]
        ),
        "relu": _gradient_condition("untrained layer of rectified units", "relu"),
        "tanh": _gradient_condition("untrained layer of tanh units", "tanh"),
        "rows-radlif": _classifier("rows of digits: RadLIF", "rows", "radlif"),
        "rows-lstm": _classifier("rows of digits: LSTM", "rows", "lstm"),
        "segments-radlif": _classifier("order of segments: RadLIF", "segments", "radlif"),
        "segments-lstm": _classifier("order of segments: LSTM", "segments", "lstm"),
        "segments-linear": _classifier(
            "order of segments: logistic regression of the mean over time", "segments", "linear"
        ),
    },
    columns={
        "critical_gain": Column("critical gain: the smallest at which gradients explode"),
        "growth_above": Column(
            "growth of the gradient at twice the critical gain, from the first to the last lag",
            "powers of 10",
        ),
        "rate_lowest": Column(
            "lowest density of any layer, or of any gain up to the critical one",
            "spikes per neuron and step",
        ),
        "rate_highest": Column("highest density, likewise", "spikes per neuron and step"),
        "silent": Column("neurons that are silent at the critical gain, fraction"),
        "accuracy": Column("accuracy on the test split, of spiking networks in Brian2"),
        "differing_spikes": Column("spikes that differ between Brian2 and the mirror"),
        "spikes": Column("spikes of the quietest layer"),
        **{
            f"norm.g{gain:g}.t{lag}": Column(
                f"log10 of the gradient norm at gain {gain:g}, lag {lag}", shown=False
            )
            for gain in GAINS
            for lag in LAGS
        },
    },
    run=run,
    sizes={
        "units": 128, "examples": 8, "burn_in": 100, "lags": list(LAGS), "compile": "auto",
        "digits": "mnist", "train": 5000, "test": 10_000, "sequences_train": 2500,
        "sequences_test": 1000, "validation": 0.2, "epochs": 30,
    },
    quick={
        "units": 48, "examples": 4, "burn_in": 30, "lags": [10, 100], "compile": False,
        "digits": "sample", "train": 600, "test": 100, "sequences_train": 100,
        "sequences_test": 50, "validation": 0.2, "epochs": 2,
    },
    seeds=3,
    criteria=(
        Criterion(
            "claim", "critical gain, relative to rectified units",
            ratio("critical_gain", "radlif", "relu"), ">=", 8.0, 3.0,
        ),
        Criterion(
            "claim", "lowest density, untrained", smallest("rate_lowest", "radlif"), ">=", 0.02
        ),
        Criterion(
            "claim", "highest density, untrained", largest("rate_highest", "radlif"), "<=", 0.3
        ),
        Criterion(
            "claim", "accuracy on rows, LSTM minus RadLIF",
            difference("accuracy", "rows-lstm", "rows-radlif"), "<=", 0.02,
        ),
        Criterion(
            "claim", "accuracy on segments, LSTM minus RadLIF",
            difference("accuracy", "segments-lstm", "segments-radlif"), "<=", 0.02,
        ),
        Criterion(
            "claim", "spikes that differ, rows",
            largest("differing_spikes", "rows-radlif"), "<=", 0.0,
        ),
        Criterion(
            "claim", "spikes that differ, segments",
            largest("differing_spikes", "segments-radlif"), "<=", 0.0,
        ),
        Criterion(
            "control", "growth at twice the critical gain",
            smallest("growth_above", "radlif"), ">=", 3.0, 1.0,
        ),
        Criterion(
            "control", "critical gain of rectified units",
            largest("critical_gain", "relu"), "<=", 2.0,
        ),
        Criterion("control", "LSTM on rows", smallest("accuracy", "rows-lstm"), ">=", 0.9),
        Criterion("control", "LSTM on segments", smallest("accuracy", "segments-lstm"), ">=", 0.9),
        Criterion(
            "control", "regression on segments",
            largest("accuracy", "segments-linear"), "<=", 0.3,
        ),
    ),
    figures={
        "gradients": draw_gradients, "critical": draw_growth, "accuracy": draw_accuracy,
    },
    groups={
        "Gradients": ("radlif", "stable", "relu", "tanh"),
        "Classifiers": (
            "rows-radlif", "rows-lstm", "segments-radlif", "segments-lstm", "segments-linear",
        ),
    },
    notes="TODO",
)  # fmt: skip
