"""e-prop on line: a recurrent network learns to store a value, and to recall it after a delay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bioae.random import named_stream
from bioae.simulation.backend import Backend, Target
from experiments.common.agreement import COLUMNS, in_both, learning_difference, no_difference
from experiments.common.figures import draw_accuracy
from experiments.common.recipes import changed, read
from experiments.runner.criteria import agreement, claim, control, largest, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from bioae.datasets import Data

#: Milliseconds of a cue, and of the delay between storing and recalling.
CUE, DELAY = 50, 200

#: Neurons per population of the input, and the probability of a spike of an active one per step.
POPULATION, PROBABILITY = 5, 0.1

#: The populations: one per value, and those of the two commands.
STORE, RECALL, POPULATIONS = 2, 3, 4

#: Accuracies that count as learned.
REACHED = 0.9

#: The modulator by which a presentation's learning signal is that of the other class.
OTHER = "other"

TARGETS: tuple[Target, ...] = ("numpy", "cpp_standalone", "torch")


def examples(count: int, *, seed: int, split: str = "train") -> Data:
    """Draw presentations of a value to be stored, other values in the delay, and the recall.

    Values are the probabilities of spikes; the label is the value that is shown with the command to
    store.
    """
    from bioae.datasets import Data

    draw = named_stream(seed, "store-recall", split)
    cues = (DELAY + 2 * CUE) // CUE
    shown = draw.integers(0, 2, (count, cues - 1))
    active = np.zeros((count, cues, POPULATIONS))
    active[:, :-1, :2] = shown[..., None] == np.arange(2)
    active[:, 0, STORE] = active[:, -1, RECALL] = 1.0
    values = np.repeat(np.repeat(PROBABILITY * active, CUE, axis=1), POPULATION, axis=2)
    return Data.of_signals(
        values.astype(np.float32), labels=shown[:, 0], name="store-recall", split=split
    )


def tables(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the network of a condition, with the shipped rules and its time constants."""
    from bioae.equations import load_synapse

    network = changed(read("eprop")["network"], settings.get("changes", {}))
    neuron = network["neurons"]["adaptive"]["parameters"]
    known = {
        **{name: neuron[name] for name in ("tau", "tau_adapt", "beta")},
        "tau_out": network["neurons"]["silent"]["parameters"]["tau"],
        "start": f"{CUE + DELAY}*ms",
    }  # fmt: skip
    rules = {"hidden": "eprop", "output": "eprop_classification"}
    network["synapses"] = {name: load_synapse(rule).to_mapping() for name, rule in rules.items()}
    for rule in network["synapses"].values():
        rule["parameters"] |= {n: v for n, v in known.items() if n in rule["parameters"]}
    if settings.get("shuffled", False):
        output = network["synapses"]["output"]
        wrong = f"target + {OTHER} - 2*{OTHER}*target"
        output["held"] = [OTHER]
        output["post"]["equations"] += f"\nsent = (exp(v)/Z - ({wrong}))*int(t >= start) : 1"
        output["feedback"]["L"] = "b*sent_post"
    return network


def run(trial: Trial) -> Mapping[str, float]:
    """Let the network of the condition learn on line in Brian2, and test it."""
    from bioae.api import learn

    sizes, seed = trial.sizes, trial.seed
    network = trial.untrained(tables(trial.settings))
    train = examples(sizes["train"], seed=seed)
    test = examples(sizes["test"], seed=seed, split="test")
    held: dict[str, Any] = {}
    if trial.settings.get("shuffled", False):
        held = {OTHER: named_stream(seed, "store-recall", OTHER).integers(0, 2, len(train))}
    few = {name: values[: sizes["few"]] for name, values in held.items()}
    shown = train[: sizes["few"]]
    differing = learning_difference(network, shown, *TARGETS, held=few, seed=seed)
    backend = Backend(trial.target)
    learned = learn(network, train, backend, held=held, seed=seed, progress=False).network
    result = trial.simulate(learned, test, "test")
    accuracy = float((result["output"].to_numpy().argmax(1) == test.labels).mean())
    counts = result["layers/hidden"]["spike_count"].to_numpy()
    return {
        "accuracy": accuracy,
        "reached": float(accuracy >= REACHED),
        "rate_hz": float(counts.mean()) * 1e3 / network.config.steps,
        "differing_weights": differing,
        **in_both(trial, learned, test[: sizes["few"]]).spikes,
    }


_FROZEN = {"layers": {"hidden": {"synapse": None, "recurrent_synapse": None}}}
_LEAKY = {"neurons": {"adaptive": {"parameters": {"beta": "0"}}}}

EXPERIMENT = Experiment(
    title="e-prop: store and recall",
    source="the rule of Bellec et al. 2020, Nature Communications 11:3625 "
    "([doi:10.1038/s41467-020-17236-y](https://doi.org/10.1038/s41467-020-17236-y)); the task is "
    "that of Bellec et al. 2018, [arXiv:1803.09574](https://arxiv.org/abs/1803.09574), in small",
    claim="Twenty recurrent neurons with adaptive thresholds learn on line by e-prop to store a "
    "value and to recall it after 200 ms, with an accuracy of at least 90 % in at least four of "
    "five seeds. With shuffled learning signals they stay at or below 60 %.",
    source_says="Bellec et al. say that e-prop approaches the performance of backpropagation "
    "through time. Here nothing is trained by that.",
    conditions={
        "eprop": Condition("e-prop, adaptive thresholds", {}),
        "shuffled": Condition("learning signals of random classes; the read-out learns the right",
                              {"shuffled": True}, may_be_silent=True),
        "frozen": Condition("the read-out learns, other weights as drawn",
                            {"changes": _FROZEN}, may_be_silent=True),
        "leaky": Condition("e-prop, thresholds that do not adapt", {"changes": _LEAKY},
                           may_be_silent=True),
    },
    columns={
        "accuracy": Column("accuracy"),
        "reached": Column(f"accuracy of at least {REACHED}", shown=False),
        "rate_hz": Column("mean rate of a hidden neuron (Hz)"),
        "differing_weights": Column("weights that differ between NumPy, C++ and PyTorch"),
        **COLUMNS,
    },
    run=run,
    sizes={"train": 3000, "test": 500, "few": 10},
    quick={"train": 20, "test": 10, "few": 3},
    seeds=5,
    criteria=(
        claim("fraction of seeds with an accuracy of at least 0.9",
              mean("reached", "eprop"), ">=", 0.8, 0.0),
        claim("largest accuracy with shuffled signals", largest("accuracy", "shuffled"), "<=", 0.6,
              1.0),
        control("largest accuracy with frozen weights", largest("accuracy", "frozen"), "<=", 0.7,
                1.0),
        control("largest accuracy without adaptation", largest("accuracy", "leaky"), "<=", 0.7,
                1.0),
        *(
            agreement(f"weights that differ between targets, {name}",
                      largest("differing_weights", name), "<=", 0.0)
            for name in ("eprop", "shuffled", "frozen", "leaky")
        ),
        *no_difference(["eprop", "shuffled", "frozen", "leaky"]),
    ),
    figures={"accuracy": draw_accuracy},
)  # fmt: skip
