"""The claim of ``bioae demo`` over several seeds: regularisers prevent dying and bursting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from bioae.cli.demo import recipe
from bioae.cli.demo_report import RUNS, firing
from experiments.common.agreement import fewest_spikes
from experiments.common.figures import dots
from experiments.common.recipes import changed
from experiments.runner.criteria import Rows, claim, control, difference, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run(trial: Trial) -> Mapping[str, float]:
    """Train the demo's network, simulate it in Brian2 on held-out digits, and measure."""
    from bioae.analysis import rate_per_step_mean_alive, reconstruction_errors
    from bioae.datasets import load

    sizes = trial.sizes
    tables = trial.settings["tables"]
    epochs = {"epochs": min(tables["training"]["epochs"], sizes["epochs"])}
    data = {"train": sizes["train"], "validation": sizes["train"] // 10}
    network = trial.train(changed(tables, {"data": data, "training": epochs})).network
    result = trial.simulate(network, load("sample", "test", sizes["test"]))
    latent = firing(result)
    errors = reconstruction_errors(result, load("sample", "train").as_float())["sum_squared_error"]
    error, mean_image = (float(errors.sel(predictor=name)) for name in ("network", "mean_image"))
    return {
        **latent,
        "pathological": latent["dead"] + latent["bursting"],
        "density_alive": float(rate_per_step_mean_alive(result, "latent")),
        "error": error,
        "relative_error": error / mean_image,
        "spikes": fewest_spikes(network, result),
    }


def draw_firing(rows: Rows) -> Figure:
    """Dead and bursting latent neurons, and reconstruction error: seeds and their mean."""
    panels = {
        "dead": "dead fraction",
        "bursting": "bursting fraction",
        "error": "squared error per image",
    }
    return dots(rows, panels)


EXPERIMENT = Experiment(
    title="Dying and bursting by the rule of the paper",
    source="Hübotter, Lanillos & Tomczak (2021), [arXiv:2109.11045](https://arxiv.org/abs/2109.11045)",
    claim="By the paper's rule without regularisers, latent neurons of a spiking auto-encoder die "
    "or burst; by the recipe of this project neither happens, and a regulariser makes its code "
    "sparse at little cost in reconstruction.",
    conditions={
        name: Condition(text, {"tables": recipe(name)}, may_be_silent=name == "paper")
        for name, (text, *_) in RUNS.items()
    },
    columns={
        "dead": Column("dead latent neurons, fraction"),
        "bursting": Column("bursting latent neurons, fraction"),
        "pathological": Column("dead or bursting latent neurons, fraction"),
        "density": Column("latent density", "spikes per neuron and step"),
        "density_alive": Column("latent density of neurons alive", "spikes per neuron and step"),
        "error": Column("squared error per image"),
        "relative_error": Column("squared error, divided by that of the mean image"),
        "spikes": Column("spikes of the quietest layer"),
    },
    run=run,
    sizes={"train": 2000, "test": 500, "epochs": 100},
    quick={"train": 900, "test": 60, "epochs": 5},
    criteria=(
        claim("error, regularised", mean("error", "regularised"), "<=", 8.0, 25.0),
        claim("density, regularised", mean("density", "regularised"), "<=", 0.1, 0.3),
        claim("dead, regularised", mean("dead", "regularised"), "<=", 0.05, 0.2),
        claim("bursting, regularised", mean("bursting", "regularised"), "<=", 0.05, 0.1),
        claim("change of the squared error by the regulariser",
              difference("error", "regularised", "unregularised"), "<=", 1.0, 10.0),
        control("dead or bursting by the rule of the paper",
                mean("pathological", "paper"), ">=", 0.5, 0.3),
        control("density without the regulariser", mean("density", "unregularised"), ">=", 0.1,
                0.1),
        control("error, regularised, divided by that of the mean image",
                mean("relative_error", "regularised"), "<=", 0.2, 0.6),
    ),
    figures={"firing": draw_firing},
)  # fmt: skip
