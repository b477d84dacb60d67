"""Hidden neurons that reconstruct their own inputs, and regression of NK landscapes (Bull 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.autoencoders.hill_climbing import Climb, Climber, Network
from experiments.runner.criteria import Criterion, Rows, claim, control, mean, paired_p, values_of
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Numbers = NDArray[np.float64]

#: The numbers of loci K on which a contribution depends, besides its own.
EPISTASIS = (0, 2, 5, 10)

#: The conditions at each K, by their kind of step.
STEPS = {
    "plain": "the task only",
    "autoencoding": "every other step: a neuron reconstructs its inputs",
    "jitter": "every other step: the hidden weights that `autoencoding` changed, with random signs",
    "shuffled": "every other step: a neuron reconstructs the inputs of other points",
}

#: The largest p of a difference.
LEVEL = 0.01


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
    other = climber.autoencoding(shuffled=steps == "shuffled")
    return climber.jitter(other.kept) if steps == "jitter" else other


def run(trial: Trial) -> Mapping[str, float]:
    """Climb, and measure the error of the output and of reconstruction."""
    sizes = trial.sizes
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
    from bioae.analysis.plots.style import INK, colour_of, new_figure

    figure = new_figure(2.0 * len(EPISTASIS), 3.2)
    panels = figure.subplots(1, len(EPISTASIS), squeeze=False)[0]
    for axes, epistasis in zip(panels, EPISTASIS, strict=True):
        for place, steps in enumerate(STEPS):
            values = values_of(rows, "error", _name(epistasis, steps))
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


def _name(epistasis: int, steps: str) -> str:
    return f"k{epistasis}-{steps}"


def _conditions() -> dict[str, Condition]:
    return {
        _name(epistasis, steps): Condition(
            f"K = {epistasis}; {text}",
            {"epistasis": epistasis, "steps": steps},
            may_be_silent=True,
        )
        for epistasis in EPISTASIS
        for steps, text in STEPS.items()
    }


def _criteria() -> tuple[Criterion, ...]:
    """Return the criteria of each K, and those of the method."""
    return (
        *(
            claim(f"K = {epistasis}, error lower than that of {other}",
                  paired_p("error", _name(epistasis, "autoencoding"), _name(epistasis, other)),
                  "<", LEVEL, in_quick=False)
            for epistasis in EPISTASIS for other in ("plain", "jitter", "shuffled")
        ),
        control("additive, error", mean("error", "k0-plain"), "<=", 0.1, 0.2),
        control("most rugged, error", mean("error", "k10-plain"), ">=", 0.9),
        control("additive, error of reconstruction", mean("decoded", "k0-autoencoding"), "<=", 0.96,
                0.98),
        *(
            control(f"K = {k}, error of reconstruction lower than that of plain",
                    paired_p("unexplained", _name(k, "autoencoding"), _name(k, "plain")),
                    "<", LEVEL, in_quick=False)
            for k in EPISTASIS
        ),
    )  # fmt: skip


EXPERIMENT = Experiment(
    title="Neurons as auto-encoders",
    source="Bull (2024), [arXiv:2403.02331](https://arxiv.org/abs/2403.02331)",
    claim="On NK landscapes with K from 0 to 10, a network has a lower test error if each of its "
    "hidden neurons also learns to reconstruct its own inputs, with equal numbers of evaluations.",
    source_says="Bull says that auto-encoding by single neurons, compared with the usual one by a "
    "layer, is not detrimental, and can improve learning. Here there is no auto-encoding by a "
    "layer, and more is asked for: a lower test error at every K.",
    conditions=_conditions(),
    columns={
        "error": Column("test error"),
        "half_error": Column("test error after half of the evaluations"),
        "train_error": Column("training error"),
        "unexplained": Column("error of reconstruction with the best decoder"),
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
    criteria=_criteria(),
    groups={
        f"K = {epistasis}": tuple(_name(epistasis, steps) for steps in STEPS)
        for epistasis in EPISTASIS
    },
    figures={"errors": draw_errors},
)  # fmt: skip
