"""Hidden neurons that reconstruct their own inputs, and regression of NK landscapes (Bull 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.autoencoders.hill_climbing import Climb, Climber, Network
from experiments.runner.criteria import claim, control, mean, paired_p, ratio, values_of
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments.runner.criteria import Criterion, Rows

Numbers = NDArray[np.float64]

#: The numbers of loci K on which a contribution depends, besides its own.
EPISTASIS = (0, 2, 5, 10)

#: The landscapes: K, the number of training points if it is another one, and both in words.
SETS = [
    *((k, None, f"K = {k}") for k in EPISTASIS),
    *((k, 1000, f"K = {k}, 1,000 points") for k in (0, 1, 2)),
]

#: The conditions at each K, by their kind of step.
STEPS = {
    "plain": "the task only",
    "autoencoding": "every other step: a neuron reconstructs its inputs",
    "jitter": "every other step: the hidden weights that `autoencoding` changed, with random signs",
    "shuffled": "every other step: a neuron reconstructs the inputs of other points",
    "layer": "every other step: all neurons reconstruct the inputs together, by one decoder",
}

#: The largest p of a difference.
LEVEL = 0.01

#: The largest ratio of errors of auto-encoding by neurons and by their layer.
NOT_DETRIMENTAL = 1.1


def points(
    sizes: Mapping[str, Any], epistasis: int, seed: int
) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]:
    """Draw a landscape, and return the inputs and targets of training and test points.

    Targets have the mean 0 and the variance 1 of the training points.
    """
    from experiments.synthetic import nk_landscape

    landscape = nk_landscape(sizes["loci"], epistasis, seed=seed)
    drawn = landscape.sample(sizes["train"] + sizes["test"])
    assert drawn.targets is not None
    inputs, fitness = drawn.as_float()[:, 0], drawn.targets[:, 0]
    train, test = slice(sizes["train"]), slice(sizes["train"], None)
    targets = (fitness - fitness[train].mean()) / fitness[train].std()
    return (inputs[train], targets[train]), (inputs[test], targets[test])


def climbed(climber: Climber, steps: str) -> Climb:
    """Return a climb with the steps of a condition."""
    if steps == "plain":
        return climber.plain()
    other = climber.autoencoding(layer=steps == "layer", shuffled=steps == "shuffled")
    return climber.jitter(other.kept) if steps == "jitter" else other


def run(trial: Trial) -> Mapping[str, float]:
    """Climb, and measure the error of the output and of reconstruction."""
    sizes = dict(trial.sizes) | {"train": trial.settings.get("train", trial.sizes["train"])}
    train, test = points(sizes, trial.settings["epistasis"], trial.seed)
    climber = Climber(
        *train,
        neurons=sizes["neurons"],
        evaluations=sizes["evaluations"],
        size=sizes["step"],
        seed=trial.seed,
    )
    climb = climbed(climber, trial.settings["steps"])
    numbers = {
        "error": _error(climb.network, *test),
        "half_error": _error(climb.halfway, *test),
        "train_error": _error(climb.network, *train),
        "unexplained": float(climb.network.unexplained(train[0], best=True).mean()),
        "unexplained_by_layer": climb.network.unexplained_by_layer(train[0]),
    }
    if trial.settings["steps"] == "autoencoding":
        numbers["decoded"] = float(climb.network.unexplained(train[0]).mean())
    if trial.settings["steps"] != "plain":
        numbers["kept"] = float(climb.kept.mean())
    return numbers


def _error(network: Network, inputs: Numbers, targets: Numbers) -> float:
    """Return the squared error, divided by that of the mean of the training targets, 0."""
    return float(np.mean((network.outputs(inputs) - targets) ** 2) / np.mean(targets**2))


def draw_errors(rows: Rows) -> Figure:
    """Test error by K and condition: seeds and their mean; the line is that of the mean target."""
    return _drawn(rows, None)


def draw_more(rows: Rows) -> Figure:
    """Test error after 1,000 training points, by K and condition: seeds and their mean."""
    return _drawn(rows, 1000)


def _drawn(rows: Rows, train: int | None) -> Figure:
    from bioae.analysis.plots.style import INK, colour_of, new_figure

    landscapes = [k for k, number, _ in SETS if number == train]
    figure = new_figure(2.0 * len(landscapes), 3.2)
    panels = figure.subplots(1, len(landscapes), squeeze=False)[0]
    for axes, epistasis in zip(panels, landscapes, strict=True):
        for place, steps in enumerate(STEPS):
            values = values_of(rows, "error", _name(epistasis, train, steps))
            if not len(values):  # an empty line upsets the layout
                continue
            spread = place + np.linspace(-0.25, 0.25, len(values) + 2)[1:-1]
            axes.plot(spread, values, "o", color=colour_of(place), markersize=3)
            average = float(values.mean())
            axes.plot([place - 0.35, place + 0.35], [average, average], color=INK, linewidth=1)
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        axes.set_xticks(range(len(STEPS)), list(STEPS), rotation=90)
        axes.set_xlim(-0.5, len(STEPS) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_title(f"K = {epistasis}")
    panels[0].set_ylabel("test error")
    return figure


def _name(epistasis: int, train: int | None, steps: str) -> str:
    return f"k{epistasis}-{steps}" + (f"-{train}" if train else "")


def _conditions() -> dict[str, Condition]:
    return {
        _name(epistasis, train, steps): Condition(
            f"{landscape}; {text}",
            {"epistasis": epistasis, "steps": steps} | ({"train": train} if train else {}),
            quick=not train,
            may_be_silent=True,
            first_seed=100 if train else 0,
        )
        for epistasis, train, landscape in SETS
        for steps, text in STEPS.items()
    }


def _of_landscape(epistasis: int, train: int | None, landscape: str) -> Iterator[Criterion]:
    """Yield the criteria of a landscape."""

    def pair(*steps: str) -> list[str]:
        return [_name(epistasis, train, each) for each in steps]

    below: Any = {"relation": "<", "threshold": LEVEL, "in_quick": False}
    for other in ("plain", "jitter", "shuffled", *(["layer"] if train else [])):
        lower = paired_p("error", *pair("autoencoding", other))
        yield claim(f"{landscape}, error lower than that of {other}", lower, **below)
    relative = ratio("error", *pair("autoencoding", "layer"))
    yield claim(f"{landscape}, error relative to that of layer", relative, "<=", NOT_DETRIMENTAL,
                in_quick=False, source=True)  # fmt: skip
    lower = paired_p("unexplained", *pair("autoencoding", "plain"))
    text = "lower than that of plain"
    yield control(f"{landscape}, error of reconstruction {text}", lower, **below)
    if train:
        lower = paired_p("unexplained_by_layer", *pair("layer", "plain"))
        yield control(f"{landscape}, error of reconstruction by layer {text}", lower, **below)


EXPERIMENT = Experiment(
    title="Neurons as auto-encoders",
    source="Bull (2024), [arXiv:2403.02331](https://arxiv.org/abs/2403.02331)",
    claim="On NK landscapes with K from 0 to 10, a network has a lower test error if each of its "
    "hidden neurons also learns to reconstruct its own inputs, with equal numbers of evaluations.",
    source_says="Bull says that auto-encoding by single neurons, compared with the usual one by a "
    "layer, is not detrimental, and can improve learning. This verdict is that on the first; our "
    "marks ask for more: a lower test error at every K.",
    source_part="not detrimental",
    conditions=_conditions(),
    columns={
        "error": Column("test error"),
        "half_error": Column("test error after half of the evaluations"),
        "train_error": Column("training error"),
        "unexplained": Column("error of reconstruction with the best decoder"),
        "unexplained_by_layer": Column("the same of the whole layer, with one decoder"),
        "decoded": Column("error of reconstruction with the neuron's decoder"),
        "kept": Column("steps between those of the task that were kept, fraction"),
    },
    run=run,
    sizes={
        "loci": 20, "neurons": 10, "train": 200, "test": 200, "evaluations": 50_000, "step": 0.1,
    },
    quick={
        "loci": 20, "neurons": 10, "train": 200, "test": 200, "evaluations": 4000, "step": 0.3,
    },
    seeds=20,
    criteria=(
        *(each for landscape in SETS for each in _of_landscape(*landscape)),
        control("additive, error", mean("error", "k0-plain"), "<=", 0.1, 0.2),
        control("most rugged, error", mean("error", "k10-plain"), ">=", 0.9),
        control("K = 2, 1,000 points, error", mean("error", "k2-plain-1000"), "<=", 0.7),
        control("additive, error of reconstruction", mean("decoded", "k0-autoencoding"), "<=", 0.96,
                0.98),
    ),
    groups={
        landscape: tuple(_name(k, train, steps) for steps in STEPS) for k, train, landscape in SETS
    },
    figures={"errors": draw_errors, "more": draw_more},
)  # fmt: skip
