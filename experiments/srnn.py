"""Adaptive neurons with trained time constants: memory over a delay, and permuted rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bioae.random import named_stream
from experiments.common.agreement import COLUMNS, OUTPUTS, in_both, no_difference
from experiments.common.energy import energy_of, operations_of
from experiments.common.figures import draw_accuracy
from experiments.common.recipes import changed, read
from experiments.runner.criteria import claim, control, difference, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    import xarray as xr

    from bioae.datasets import Data
    from bioae.networks.network import Network

#: Points beyond the delay: two cues of 20, and room for the onset.
_ROOM = 50

#: The time constants that the neurons of the hidden layer differ in.
_TAUS = ("hidden.tau_m", "hidden.tau_adapt")

#: The columns of operations per example, and their texts.
_COUNTS = {
    "accumulates": "accumulates", "multiply_accumulates": "multiply-accumulates",
    "neuron_updates": "updates of neurons",
    "dense_multiply_accumulates": "multiply-accumulates of rates",
}  # fmt: skip


def recipe(settings: Mapping[str, Any], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the training configuration of a condition, without its data.

    The settings have its `task`, or ``"lstm"``, and the `changes` in srnn.toml.
    """
    task, tables = settings["task"], read("srnn")
    values = tables[task]
    for name in settings["changes"]:
        values = changed(values, tables["changes"][name])
    task = "rows" if task == "lstm" else task
    layers: dict[str, Any] = {"hidden": {"units": sizes[f"{task}_units"]}}
    sized: dict[str, Any] = {
        "network": {"layers": layers},
        "training": {"epochs": sizes[f"{task}_epochs"]},
        "data": {"validation": sizes[f"{task}_validation"]},
    }
    if "tau_adapt" in settings:
        layers["hidden"]["spread"] = {"tau_adapt": settings["tau_adapt"]}
    if settings["task"] != "lstm":
        sized["network"]["steps"] = _steps(settings, sizes)
    if settings["task"] == "rows":
        sized["network"]["encoder"] = {"every": sizes["rows_every"]}
    return changed(values, sized)


def run(trial: Trial) -> Mapping[str, float]:
    """Train on the condition's task, and test in Brian2."""
    settings, sizes = trial.settings, trial.sizes
    train, test = _data(settings, sizes, trial.seed)
    tables = recipe(settings, sizes)
    name = "recall" if settings["task"] == "recall" else "rows"
    tables["data"] |= trial.data(train, test, f"{name}-{train.points}", share=True)
    if settings["task"] == "lstm":
        return _lstm(trial, tables)
    network = _network(trial, tables)
    if settings.get("shuffled", False):
        network = shuffled(network, trial.seed)
    if "tested" in settings:
        longer = {**settings, "delay": settings["tested"], "trained_delay": settings["delay"]}
        _, test = _data(longer, sizes, trial.seed)
        network = network.with_time(steps=_steps(longer, sizes))
    return _measured(trial, network, test[: sizes["test"]])


def shuffled(network: Network, seed: int) -> Network:
    """Give the hidden neurons the time constants of one another, both of the same neuron."""
    order = named_stream(seed, "srnn", "shuffled").permutation(network.weights[_TAUS[0]].size)
    return network.with_weights({name: network.weights[name][order] for name in _TAUS})


def _steps(settings: Mapping[str, Any], sizes: Mapping[str, Any]) -> int:
    """Return the steps of a presentation."""
    if settings["task"] == "rows":
        return 28 * int(sizes["rows_every"])
    return min(int(settings["delay"]), int(sizes["longest"])) + _ROOM


def _data(settings: Mapping[str, Any], sizes: Mapping[str, Any], seed: int) -> tuple[Data, Data]:
    """Return the training and the test split."""
    from bioae.datasets import load
    from experiments.synthetic import permuted_rows, store_recall

    test = sizes["test"]
    if settings["task"] != "recall":
        train = sizes["rows_train"]
        return (
            permuted_rows(load(sizes["images"], "train", train), seed=0),
            permuted_rows(load(sizes["images"], "test", test), seed=0),
        )
    train, steps = sizes["recall_train"], _steps(settings, sizes)
    delay = steps - _ROOM
    # A longer delay than that of training has as many distractors.
    rate = 0.5 if "trained_delay" not in settings else 0.5 * settings["trained_delay"] / delay
    return (
        store_recall(train, seed=seed, split="train", delay=delay, steps=steps, distractors=rate),
        store_recall(test, seed=seed, split="test", delay=delay, steps=steps, distractors=rate),
    )


def _network(trial: Trial, tables: Mapping[str, Any]) -> Network:
    """Train the network, unless the condition is without; `shuffled` and `far` share one."""
    if not trial.settings.get("training", True):
        return trial.untrained(tables["network"])
    parts = [trial.settings["task"], str(tables["network"]["steps"]), *trial.settings["changes"]]
    trained: Network = trial.train(tables, "-".join(parts), share=True).network
    return trained


def _measured(trial: Trial, network: Network, test: Data) -> dict[str, float]:
    """Test in Brian2 and in the mirror, both in float64, and compare them."""
    from bioae.analysis import accuracy, summary

    both = in_both(trial, network, test)
    result, found = both.result, accuracy(both.result)
    numbers = {
        **{name: float(found[name]) for name in ("accuracy", "low", "high")},
        "density": float(summary(result).sel(layer="hidden")["rate_per_step_mean"]),
        **both.spikes,
        **both.outputs,
    }
    for name in _TAUS if "adaptive" in trial.settings["changes"] else _TAUS[:1]:
        low, median, high = np.quantile(1e3 * network.weights[name], (0.1, 0.5, 0.9))
        key = name.removeprefix("hidden.")
        numbers |= {f"{key}_low": low, f"{key}_median": median, f"{key}_high": high}
    return numbers | _operations(network, result, test, trial.seed)


def _operations(network: Network, result: xr.DataTree, test: Data, seed: int) -> dict[str, float]:
    """Return the operations and the energy per example, in nJ, and conventional networks' by it.

    Updates are products: one per state that decays, none of rates, three of long short-term memory.
    """
    counts = operations_of(network, result, test, seed)
    total = {name: float(each) for name, each in counts.sum("layer").items()}
    hidden = {name: float(each) for name, each in counts.sel(layer="hidden").items()}
    synapses = energy_of(total["accumulates"], total["multiply_accumulates"])
    adaptive = "hidden.tau_adapt" in network.weights
    updates = total["neuron_updates"] + adaptive * hidden["neuron_updates"]
    energy = synapses + energy_of(0, updates)
    rates = total["dense_multiply_accumulates"]
    lstm = rates + 3 * (hidden["dense_multiply_accumulates"] + hidden["neuron_updates"])
    return {
        **{name: total[name] for name in _COUNTS},
        "energy": energy, "synapse_energy": synapses,
        "rates_energy": energy_of(0, rates) / energy,
        "lstm_energy": energy_of(0, lstm) / energy,
    }  # fmt: skip


def _lstm(trial: Trial, tables: Mapping[str, Any]) -> dict[str, float]:
    """Train long short-term memory on the same rows, one step per row."""
    units, outputs = (layer["units"] for layer in tables["network"]["layers"])
    accuracy = trial.baseline(tables).summary["test_accuracy"]
    products = 28 * (4 * (28 * units + units * units) + units * outputs)
    return {"accuracy": accuracy} | dict.fromkeys(
        ("multiply_accumulates", "dense_multiply_accumulates"), products
    )


def _recall(*changes: str, delay: int = 200, **more: Any) -> dict[str, Any]:
    return {"task": "recall", "changes": changes, "delay": delay, **more}


_TRAINED = ("recurrent", "adaptive", "trained")

#: The text and the settings of each condition, by its name.
RECALL: dict[str, tuple[str, dict[str, Any]]] = {
    "trained": ("both time constants trained for each neuron", _recall(*_TRAINED)),
    "fixed": (
        "time constants fixed at the same initial values", _recall("recurrent", "adaptive")
    ),
    "lif": ("no adaptation (beta = 0), time constants fixed", _recall("recurrent")),
    "shuffled": (
        "`trained`, with time constants shuffled across neurons after training",
        _recall(*_TRAINED, shuffled=True),
    ),
    "far": ("`trained`, tested with a delay of 2000 ms", _recall(*_TRAINED, tested=2000)),
    "fixed-long": (
        "time constants of adaptation fixed between 200 and 400 ms",
        _recall("recurrent", "adaptive", "long"),
    ),
    "feedforward": ("`trained` without recurrent connections", _recall("adaptive", "trained")),
    "lif-feedforward": ("`lif` without recurrent connections", _recall()),
    "untrained": (
        "the network of `trained` before training", _recall("recurrent", "adaptive", training=False)
    ),
}  # fmt: skip
SHORT: dict[str, tuple[str, dict[str, Any]]] = {
    "trained-40": ("`trained`, delay 40 ms", _recall(*_TRAINED, delay=40)),
    "fixed-40": ("`fixed`, delay 40 ms", _recall("recurrent", "adaptive", delay=40)),
    "lif-40": ("`lif`, delay 40 ms", _recall("recurrent", delay=40)),
}
_START = ("60*ms", "200*ms")
LONG: dict[str, tuple[str, dict[str, Any]]] = {
    "trained-350": (
        "`trained`, delay 350 ms, tau_adapt at first 60 to 200 ms",
        _recall(*_TRAINED, delay=350, tau_adapt=_START),
    ),
    "fixed-350": (
        "`fixed` at these values", _recall("recurrent", "adaptive", delay=350, tau_adapt=_START)
    ),
    "lif-350": ("`lif`, delay 350 ms", _recall("recurrent", delay=350)),
}  # fmt: skip
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "rows-trained": (
        "time constants trained for each neuron", {"task": "rows", "changes": _TRAINED}
    ),
    "rows-fixed": (
        "time constants fixed at the same initial values",
        {"task": "rows", "changes": ("recurrent", "adaptive")},
    ),
    "rows-lif": (
        "no adaptation, the time constant trained",
        {"task": "rows", "changes": ("recurrent", "membrane")},
    ),
    "rows-lstm": ("long short-term memory, one step per row", {"task": "lstm", "changes": ()}),
}  # fmt: skip

#: Conditions with a recurrent network of spiking neurons, which Brian2 must reproduce.
_EXACT = tuple(name for name in (*RECALL, *SHORT, *LONG, *ROWS) if name != "rows-lstm")

EXPERIMENT = Experiment(
    title="Adaptive neurons with trained time constants",
    source="Yin, Corradi & Bohté (2020), [arXiv:2005.11633](https://arxiv.org/abs/2005.11633)",
    claim="On a store-recall task with delays of 200 and 350 ms, a recurrent network of 48 "
    "adaptive neurons with trained time constants reaches an accuracy of at least 0.9. Without "
    "adaptation it is at most 0.6; at 200 ms, with fixed ones, at least 0.2 lower.",
    source_says="Yin et al. say that such networks almost reach or exceed the accuracy of "
    "classical recurrent ones on sequences, with sparse activity and less than a hundredth of "
    "their energy on harder tasks. Here the energy is that of arithmetic in a small network; which "
    "operations they count we have not found, and no criterion compares accuracies.",
    source_part="energy, 48 units on store-recall",
    conditions={
        name: Condition(
            text, settings,
            seeds=3 if name in ROWS else None,
            quick=name in ("trained", "untrained"),
            may_be_silent=name == "rows-lstm",
            first_seed=400 if name in LONG else 0,
        )
        for name, (text, settings) in (RECALL | SHORT | LONG | ROWS).items()
    },
    columns={
        "accuracy": Column("accuracy"),
        "low": Column("lower end of its 95 % interval (Wilson)", shown=False),
        "high": Column("upper end of its 95 % interval (Wilson)", shown=False),
        **COLUMNS,
        **OUTPUTS,
        "density": Column("density of the hidden layer", "spikes per neuron and step"),
        "tau_m_low": Column("tau_m, 10th percentile", "ms", shown=False),
        "tau_m_median": Column("tau_m, median", "ms"),
        "tau_m_high": Column("tau_m, 90th percentile", "ms", shown=False),
        "tau_adapt_low": Column("tau_adapt, 10th percentile", "ms"),
        "tau_adapt_median": Column("tau_adapt, median", "ms"),
        "tau_adapt_high": Column("tau_adapt, 90th percentile", "ms"),
        **{name: Column(f"{text} per example") for name, text in _COUNTS.items()},
        "energy": Column("energy per example", "nJ"),
        "synapse_energy": Column("part of it in synapses", "nJ"),
        "rates_energy": Column("energy of a network of rates, divided by it"),
        "lstm_energy": Column("energy of long short-term memory, divided by it"),
    },
    run=run,
    sizes={
        "recall_train": 2000, "recall_validation": 250, "recall_epochs": 10, "recall_units": 48,
        "longest": 10_000,
        "images": "mnist", "rows_train": 4000, "rows_validation": 500, "rows_epochs": 10,
        "rows_units": 64, "rows_every": 4,
        "test": 500,
    },
    quick={
        "recall_train": 500, "recall_validation": 50, "recall_epochs": 4, "recall_units": 32,
        "longest": 50,
        "images": "sample", "rows_train": 100, "rows_validation": 20, "rows_epochs": 1,
        "rows_units": 8, "rows_every": 1,
        "test": 50,
    },
    criteria=(
        claim("accuracy, trained", mean("accuracy", "trained"), ">=", 0.9, 0.8),
        claim("accuracy, trained minus fixed",
              difference("accuracy", "trained", "fixed"), ">=", 0.2),
        claim("accuracy without adaptation", mean("accuracy", "lif"), "<=", 0.6),
        claim("accuracy, 350 ms, trained", mean("accuracy", "trained-350"), ">=", 0.9),
        claim("accuracy, 350 ms, without adaptation", mean("accuracy", "lif-350"), "<=", 0.6),
        claim("energy of rates divided by that of trained, 350 ms",
              mean("rates_energy", "trained-350"), ">=", 10.0),
        claim("energy of long short-term memory divided by that of trained, 350 ms",
              mean("lstm_energy", "trained-350"), ">=", 100.0, source=True),
        *no_difference(_EXACT),
        control("accuracy, time constants shuffled", mean("accuracy", "shuffled"), "<=", 0.7),
        control("accuracy, delay of 2000 ms", mean("accuracy", "far"), "<=", 0.6),
        control("accuracy, untrained", mean("accuracy", "untrained"), "<=", 0.6, 0.7),
    ),
    groups={
        "Store-recall, delay 200 ms": tuple(RECALL),
        "Store-recall, delay 40 ms": tuple(SHORT),
        "Store-recall, delay 350 ms": tuple(LONG),
        "Permuted rows of MNIST": tuple(ROWS),
    },
    figures={"accuracy": draw_accuracy},
)  # fmt: skip
