"""A layer that learns logic functions by a contrastive rule, with weights in devices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, difference, largest_rise, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bioae.networks.network import Network

LAYER, RULE = "hidden", "csdp_at_end"

#: Functions of two bits.
FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}

#: Levels of a conductance, from many to few.
LEVELS = (64, 32, 16, 8, 4, 2)

#: Pairs of a pattern and a label.
PAIRS = 8


def run(trial: Trial) -> Mapping[str, float]:
    """Let the layer of the condition learn each function, and ask it for the labels."""
    if trial.settings["kind"] == "pixels":
        return {f"{name}_learned": _linear(name) for name in FUNCTIONS}
    found: dict[str, float] = {}
    for name in FUNCTIONS:
        network = _learned(trial, name)
        gaps = _gaps(trial, network, name)
        found |= {f"{name}_learned": float((gaps > 0).all()), f"{name}_gap": float(gaps.mean())}
    both = in_both(trial, network, pairs("xor")[0])
    return {**found, **both.spikes}


def pairs(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the pairs of a pattern and a label, and whether the label is the function's value.

    Images (pair, 1, 1, 6) have a line for each value of each bit, and one for each label; two pairs
    that follow each other have the same pattern. The truth is 1 or 0 (pair,).
    """
    bits = np.array([(a, b, label) for a in (0, 1) for b in (0, 1) for label in (0, 1)])
    lines = np.stack([bits, 1 - bits], axis=-1).reshape(PAIRS, 1, 1, 6)
    truth = [label == FUNCTIONS[name](a, b) for a, b, label in bits.tolist()]
    return lines.astype(np.float64), np.array(truth, np.float64)


def _learned(trial: Trial, name: str) -> Network:
    """Return the network of a condition after it has learned a function."""
    from bioae.api import learn
    from bioae.random import named_stream

    settings, sizes = trial.settings, trial.sizes
    network = trial.untrained(_tables(trial))
    if settings["kind"] == "frozen":
        return network
    images, truth = pairs(name)
    draw = named_stream(trial.seed, "memristive", name)
    shown = draw.integers(0, PAIRS, sizes["presentations"])
    told = draw.integers(0, 2, len(shown)) if settings["kind"] == "random" else truth[shown]
    learned = learn(
        network, images[shown], trial.target, held={"truth": told.astype(np.float64)},
        seed=trial.seed, progress=False,
    )  # fmt: skip
    return learned.network


def _tables(trial: Trial) -> dict[str, Any]:
    """Return the tables of the network, with its rule in devices if the condition has some."""
    from bioae.equations import SynapseModel, with_devices

    tables = read("memristive", {"network": {"steps": trial.sizes["steps"]}})["network"]
    levels, units = trial.settings.get("levels"), trial.settings.get("units", 48)
    tables = changed(tables, {"layers": {LAYER: {"units": units}}, "task": {"outputs": units}})
    if levels is None:
        return tables
    rule = SynapseModel.from_mapping(RULE, tables["synapses"][RULE], where="memristive.toml")
    rule = with_devices(rule, levels, noise=trial.settings["noise"])
    changes = {
        "synapses": {rule.name: rule.to_mapping()},
        "layers": {LAYER: {"synapse": rule.name}},
    }
    return changed(tables, changes)


def _gaps(trial: Trial, network: Network, name: str) -> NDArray[np.float64]:
    """Return the goodness of the true label less that of the false one (pattern,)."""
    from bioae.analysis import goodness

    images, truth = pairs(name)
    repeated = np.tile(images, (trial.sizes["repeats"], 1, 1, 1))
    found = goodness(trial.mirror(network, repeated), LAYER).to_numpy()
    means = found.reshape(-1, PAIRS).mean(0) * (2 * truth - 1)
    return np.asarray(means.reshape(-1, 2).sum(1))


def _linear(name: str) -> float:
    """Return whether a linear read-out of the patterns' lines gives all values of a function."""
    from sklearn.linear_model import LogisticRegression

    images, truth = pairs(name)
    lines, values = images.reshape(PAIRS, 6)[::2, :4], 1 - truth[::2]
    return float(LogisticRegression(C=1e4).fit(lines, values).score(lines, values) == 1)


def draw_learned(rows: Rows) -> Figure:
    """Seeds that have learned a function, and by how much true labels exceed false ones."""
    titles = {"xor_learned": "XOR learned", "xor_gap": "true less false goodness, XOR"}
    return dots(rows, titles, conditions=[name for name in rows if name not in MANY])


def draw_redundancy(rows: Rows) -> Figure:
    """Seeds that have learned a function, by the numbers of neurons and of levels."""
    return dots(rows, {"xor_learned": "XOR learned", "or_learned": "OR learned"}, conditions=MANY)


def _device(levels: int, noise: float = 0.0) -> Condition:
    noisy = f", pulses with a standard deviation of {noise:g} levels" if noise else ""
    return Condition(
        f"conductances of {levels} levels{noisy}",
        {"kind": "learned", "levels": levels, "noise": noise},
        quick=levels == LEVELS[1] and not noise,
        may_be_silent=True,
    )


def _many(units: int, kind: str, levels: int | None = None) -> Condition:
    settings = {"kind": kind, "units": units, "levels": levels, "noise": 0.0}
    text = {"frozen": "initial weights", "random": ", labels called true at random"}.get(kind, "")
    text = f"conductances of {levels} levels{text}" if levels else text
    return Condition(
        f"{units} neurons: {text}", settings, 40, quick=False, may_be_silent=True, first_seed=300
    )


#: Conditions that differ in the numbers of neurons and of levels.
MANY = {
    f"units-{units}-levels-{levels}": _many(units, "learned", levels)
    for units, levels in ((192, 64), (192, 16), (192, 4), (192, 2), (96, 16), (96, 4), (48, 4))
} | {"units-192-frozen": _many(192, "frozen"), "units-192-random": _many(192, "random", 4)}

EXPERIMENT = Experiment(
    title="Contrastive learning in devices",
    source="after Merkel & Ororbia 2024, arXiv:2409.10887; the model of devices is ours",
    claim="A layer of spiking neurons whose weights are pairs of quantised conductances learns "
    "logic functions, XOR among them, by a contrastive rule. With 48 neurons it needs a few dozen "
    "levels; with 192, four are enough.",
    source_says="Merkel & Ororbia say that a hardware implementation of the rule learns simple "
    "logic functions in simulations. Here the behaviour of a weight is simulated, not their "
    "circuit, and which functions they mean we have not found.",
    source_part="the rule and its weights, not the circuit",
    conditions={
        "analogue": Condition("weights that are not quantised", {"kind": "learned"}, quick=True),
        **{f"levels-{levels}": _device(levels) for levels in LEVELS},
        "levels-32-noisy": _device(32, 0.5),
        "frozen": Condition(
            "initial weights", {"kind": "frozen"}, quick=True, may_be_silent=True
        ),
        "random-tags": Condition(
            "labels called true at random", {"kind": "random"}, may_be_silent=True, quick=False
        ),
        "pixels": Condition(
            "a linear read-out of the patterns", {"kind": "pixels"}, seeds=1, may_be_silent=True,
            quick=True,
        ),
        **MANY,
    },
    columns={
        **{
            f"{name}_learned": Column(f"{name.upper()} learned, fraction of seeds")
            for name in FUNCTIONS
        },
        **{
            f"{name}_gap": Column(f"true labels' goodness less that of false ones, {name.upper()}")
            for name in FUNCTIONS
        },
        **COLUMNS,
    },
    run=run,
    sizes={"presentations": 600, "repeats": 20, "steps": 40},
    quick={"presentations": 30, "repeats": 2, "steps": 20},
    seeds=20,
    criteria=(
        *(
            claim(f"{name.upper()} learned with {title}",
                  mean(f"{name}_learned", condition), ">=", 0.9, 0.0)
            for name in FUNCTIONS
            for title, condition in {
                "weights that are not quantised": "analogue", "64 levels": "levels-64",
                "32 levels": "levels-32",
            }.items()
        ),
        claim("largest rise of the fraction that learns XOR, from 64 levels down",
              largest_rise("xor_learned", [f"levels-{levels}" for levels in LEVELS]), "<=", 0.0),
        claim("true labels' goodness less that of false ones, AND, 32 levels: less initial",
              difference("and_gap", "levels-32", "frozen"), ">=", 1.0, 0.5),
        *(
            claim(f"{name.upper()} learned with 192 neurons and {levels} levels",
                  mean(f"{name}_learned", f"units-192-levels-{levels}"), ">=", 0.9,
                  source=levels == LEVELS[0])
            for name, levels in (("and", 64), ("or", 64), ("xor", 64), ("xor", 16), ("xor", 4))
        ),
        claim("XOR learned with 4 levels, 192 neurons less 48",
              difference("xor_learned", "units-192-levels-4", "units-48-levels-4"), ">=", 0.5),
        *(
            control(f"XOR with 192 neurons, {name}",
                    mean("xor_learned", f"units-192-{name}"), "<=", most)
            for name, most in (("levels-2", 0.1), ("frozen", 0.2), ("random", 0.2))
        ),
        control("XOR with 4 levels", mean("xor_learned", "levels-4"), "<=", 0.1),
        control("XOR with initial weights", mean("xor_learned", "frozen"), "<=", 0.1, 1.0),
        control("XOR with random tags", mean("xor_learned", "random-tags"), "<=", 0.2),
        control("XOR by a linear read-out of the patterns",
                mean("xor_learned", "pixels"), "<=", 0.0),
        control("AND by a linear read-out of the patterns",
                mean("and_learned", "pixels"), ">=", 1.0),
        *no_difference(["analogue", "levels-32", "frozen", *MANY]),
    ),
    figures={"redundancy": draw_redundancy, "learned": draw_learned},
)  # fmt: skip
