"""Error against bits: the latent spikes of a network, and conventional codes of as many units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.autoencoders.codes import Trains, trains_of
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, difference, largest, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from bioae.datasets import Data

#: The network that comes with bioae, trained by the recipe.
SHIPPED = "sae-mnist"

#: Conventional auto-encoders with latent units of these kinds: keys, seeds, and learning rates.
RIVALS: dict[str, tuple[str, dict[str, Any], int, float]] = {
    "linear": ("linear", {"latent": "linear"}, 5, 4e-3),
    "top-20": ("linear, the 20 largest of 100 kept", {"latent": "linear", "active": 20}, 3, 8e-3),
    "levels-2": ("2 levels", {"levels": 2}, 3, 8e-3),
    "levels-4": ("4 levels", {"levels": 4}, 3, 4e-3),
    "levels-16": ("16 levels", {"levels": 16}, 3, 4e-3),
}

#: Distances of the values that latent units of `linear` are rounded to, in standard deviations.
STEPS = (2.0, 1.0, 0.5, 0.25)


def run(trial: Trial) -> Mapping[str, float]:
    """Train a rival, or run the spiking network; error on test digits, and bits of the code."""
    from bioae.analysis.coding.reconstruction import sum_squared_error
    from bioae.datasets import load
    from bioae.networks.artefact import load as load_network

    sizes = trial.sizes
    data = {key: sizes[key] for key in ("name", "train", "validation", "test")}
    test = load(data["name"], "test", data["test"])
    if "network" in trial.settings:
        result = trial.simulate(load_network(SHIPPED).network, test)
        trains = trains_of(result)
        return {
            "error": float(sum_squared_error(result).mean()),
            "bits": bits_of_trains(trains), "count_bits": bits_of(trains.sum(-1)),
        }  # fmt: skip
    epochs = {"epochs": min(trial.settings["epochs"], sizes["epochs"])}
    tables = changed(trial.settings["tables"], {"data": data, "training": epochs})
    trained = trial.baseline(tables)
    network, error = trained.network, trained.summary["test_sum_squared_error"]
    if "levels" in tables["baseline"]:
        return {"error": error, "bits": bits_of(network.latent(test))}
    if "active" in tables["baseline"]:
        return {"error": error}
    return {"error": error, **_rounded(network, load(data["name"], "train", data["train"]), test)}


def _rounded(network: Any, images: Data, test: Data) -> dict[str, float]:
    """Return errors and bits of test images with latent numbers rounded, by those of `images`."""
    import torch

    known, latent = network.latent(images), network.module.layers[network.module.depth - 1]
    numbers = {}
    for step in STEPS:
        width = torch.from_numpy(step * known.std(0)).float()

        def rounded(*given: Tensor, width: Tensor = width) -> Tensor:
            return width * (given[-1] / width).round()

        with latent.register_forward_hook(rounded):
            codes, outputs = network.latent(test), network.predict(test)
        numbers[f"error_{step:g}"] = float(((outputs - test.as_float()) ** 2).sum() / len(test))
        numbers[f"bits_{step:g}"] = bits_of(codes)
    return numbers


def bits_of(symbols: NDArray[Any]) -> float:
    """Return the sum of the entropies of symbols (example, ...), each place by itself, in bits."""
    from scipy.stats import entropy

    columns = symbols.reshape(len(symbols), -1).T
    return float(sum(entropy(np.unique(each, return_counts=True)[1], base=2) for each in columns))


def bits_of_trains(trains: Trains) -> float:
    """Return the bits of spikes (example, neuron, step), coded by the past of their neuron.

    The sum over neurons and steps of the conditional entropy of a spike, given how often and when
    last the neuron has fired.
    """
    steps = trains.shape[-1]
    last = np.maximum.accumulate(np.where(trains, np.arange(steps), -1), -1)
    before = np.roll(last, 1, -1)
    before[..., 0] = -1
    past = (before + 1) * (steps + 1) + trains.cumsum(-1) - trains
    return bits_of(2 * past + trains) - bits_of(past)


def draw_rates(rows: Rows) -> Figure:
    """Squared error per image by bits of the latent code, a dot per seed (and distance)."""
    from bioae.analysis.plots.style import colour_of, new_figure

    rounded = [(f"bits_{step:g}", f"error_{step:g}") for step in STEPS]
    codes = {
        "spikes": ([("bits", "error")], ["spikes"]),
        "linear, rounded": (rounded, ["linear"]),
        "trained with levels": (
            [("bits", "error")],
            [each for each in RIVALS if each.startswith("levels")],
        ),
    }
    figure = new_figure(4.8, 3.0)
    axes = figure.subplots()
    for place, (label, (columns, names)) in enumerate(codes.items()):
        every = [row for name in names for row in rows.get(name, {}).values()]
        points = np.array([[row[each] for each in pair] for row in every for pair in columns])
        axes.plot(
            *points.reshape(-1, 2).T, "o", color=colour_of(place), markersize=4, label=label
        )  # fmt: skip
    axes.set_xlabel("bits per image")
    axes.set_ylabel("squared error per image")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


def _conditions() -> dict[str, Condition]:
    conditions = {
        "spikes": Condition(
            f"latent spikes of `{SHIPPED}`", {"network": SHIPPED}, 1, may_be_silent=True
        )
    }
    network = read("autoencoders/soft_reset")["network"]
    schedule = {"warm_up": 0.1, "final": 0.005}
    for name, (text, latent, seeds, rate) in RIVALS.items():
        tables = changed(
            read("autoencoders/conventional") | {"network": network},
            {
                "baseline": {"kind": "autoencoder", **latent},
                "training": {"learning_rate": rate, "average": 0.99, "schedule": schedule},
            },
        )
        conditions[name] = Condition(
            f"conventional auto-encoder, latent layer {text}", {"tables": tables, "epochs": 16},
            seeds, may_be_silent=True, first_seed=200, quick=name in ("linear", "levels-4"),
        )  # fmt: skip
    return conditions


EXPERIMENT = Experiment(
    title="Error against bits",
    source="ours; the spiking network is that of [`sparse_code`](sparse_code.md)",
    claim=f"The latent spikes of `{SHIPPED}` need more bits, coded neuron by neuron, than a "
    "conventional code of the same error: a linear latent layer of as many units, rounded to at "
    "most 60 % as many bits, reconstructs digits no worse.",
    conditions=_conditions(),
    columns={
        "error": Column("squared error per image"),
        "bits": Column("bits of the latent code per image"),
        "count_bits": Column("bits of the numbers of spikes alone"),
        **{
            f"{name}_{step:g}": Column(f"{text}, rounded to multiples of {step:g} SD")
            for step in STEPS
            for name, text in (("error", "squared error"), ("bits", "bits"))
        },
    },
    run=run,
    sizes={"name": "mnist", "train": 60_000, "validation": 10_000, "test": 10_000, "epochs": 16},
    quick={"name": "sample", "train": 260, "validation": 60, "test": 60, "epochs": 1},
    criteria=(
        claim("error of the linear layer, rounded to 0.25 SD", mean("error_0.25", "linear"), "<=",
              2.02, 100.0),
        claim("its bits", largest("bits_0.25", "linear"), "<=", 439.0),
        control("error of the spiking network", mean("error", "spikes"), ">=", 2.02, 1.0),
        control("bits of its spikes", mean("bits", "spikes"), ">=", 732.0, 100.0),
        control("error of the linear layer", mean("error", "linear"), "<=", 1.79, 100.0),
        control("error with 16 levels, less that with 2", difference("error", "levels-16",
                "levels-2"), "<=", 0.0),
    ),
    figures={"rates": draw_rates},
)  # fmt: skip
