"""The numbers of a row: error, firing, classes in the latent layer, noise, time, and Brian2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments.common.agreement import COLUMNS, DIFFERING, ERROR_DIFFERENCE, in_both
from experiments.common.figures import dots
from experiments.runner.criteria import Rows
from experiments.runner.experiment import Column
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bioae.datasets import Data
    from bioae.networks.network import Network
    from bioae.runs import Trained

#: Of every spiking row: the whole test split in the mirror.
FIRING = {
    "error": Column("squared error per image"),
    "alive": Column("latent neurons that ever fire, fraction"),
    "dead": Column("dead latent neurons, fraction"),
    "bursting": Column("bursting latent neurons, fraction"),
    "bursting_alive": Column("bursting latent neurons, fraction of the living"),
    "active": Column("latent neurons that fire for an image, fraction"),
    "density": Column("latent density", "spikes per neuron and step"),
    "density_alive": Column("latent density of neurons alive", "spikes per neuron and step"),
    "presentations": Column("presentations of training images"),
    "spikes": Column("spikes of the quietest layer, per 1,000 images"),
    "network_spikes": Column("spikes of the whole network per image"),
}

#: Of rows that also run in Brian2.
BRIAN2 = {
    "brian2_error": Column("squared error per image in Brian2"),
    ERROR_DIFFERENCE: Column("largest difference of an image's error, Brian2 and mirror"),
    DIFFERING: COLUMNS[DIFFERING],
    "rate_hz": Column("latent firing rate, median", "Hz"),
    "cv": Column("coefficient of variation of latent interspike intervals, mean"),
    "cv_chance": Column("the same of as many spikes at random times in each presentation"),
    "sparseness": Column("lifetime sparseness of latent neurons, mean"),
    "population_sparseness": Column("population sparseness of the living latent neurons, mean"),
}

#: By column: the statistic of `bioae.analysis.measures.reference`, and the title of the panel.
_CORTEX = {
    "rate_hz": ("median_rate", "median rate (Hz)"),
    "cv": ("isi_cv", "CV of intervals"),
    "sparseness": ("lifetime_sparseness", "lifetime sparseness"),
    "population_sparseness": ("population_sparseness", "population sparseness"),
}

#: Of the latent activity of any auto-encoder.
CLASSES = {
    "class_ratio": Column("squared distance within classes over between classes"),
    "class_ratio_shuffled": Column("the same with shuffled labels"),
    "readout": Column("accuracy of a linear read-out of the class"),
}

#: The fractions n of uniform noise in the input, x (1 - n) + n U(0, 1).
_NOISE = (0.25, 0.5)

#: The parts of a presentation after which the error is measured.
_PARTS = (0.25, 0.5, 0.75, 1.0)

TIME = {
    f"time_{part:g}": Column(f"squared error after {part:.0%} of the steps, first images")
    for part in _PARTS
}

NOISE = {
    f"noise_{n:g}": Column(f"squared error, {n:.0%} noise in the input, first images")
    for n in _NOISE
}


def measured(trial: Trial, tables: Mapping[str, Any], *, whole: bool) -> dict[str, float]:
    """Train by the tables of a condition, and measure on the test split that they name.

    `trial`: its sizes have the number of `few` images; `tables`: those of a configuration, of a
    spiking network or with a `baseline`; `whole`: whether a spiking network gets all numbers
    (`whole_row`), or those of `firing` only.
    """
    from bioae.datasets import load

    data = tables["data"]
    test = load(data["name"], "test", data["test"])
    few = test[: trial.sizes["few"]]
    if "baseline" in tables:
        return conventional(trial.baseline(tables), test, few, trial.seed)
    trained = trial.train(tables)
    return whole_row(trial, trained, test, few) if whole else firing(trained)


def whole_row(trial: Trial, trained: Trained, images: Data, few: Data) -> dict[str, float]:
    """Return all numbers of a spiking network; `few` images where each is simulated repeatedly."""
    network = trained.network
    latents, brian2 = cortical(trial, network, images)
    return {
        **firing(trained),
        **brian2,
        **agreement(trial, network, few),
        **class_structure(latents, np.asarray(images.labels), trial.seed),
        **noise_errors(
            few,
            trial.seed,
            lambda noisy, name: trial.simulate(network, noisy, name)["reconstruction"],
        ),
        **time_errors(trial, network, few),
    }


def firing(trained: Trained) -> dict[str, float]:
    """Return the numbers of `FIRING` of the network that training selected."""
    network, summary = trained.network, trained.summary
    config = network.config
    layers = summary["test_layers"]
    latent = layers[config.latent]
    alive = 1 - latent["dead_fraction"]
    spikes = [
        layers[layer.name]["rate_per_step_mean"] * layer.size * config.steps
        for layer in config.placed
        if layer.name in layers
    ]
    return {
        "error": summary["test_sum_squared_error"],
        "alive": alive,
        "dead": latent["dead_fraction"],
        "bursting": latent["bursting_fraction"],
        "bursting_alive": latent["bursting_fraction"] / alive if alive else float("nan"),
        "active": latent["active_fraction_mean"],
        "density": latent["rate_per_step_mean"],
        "density_alive": latent["rate_per_step_mean_alive"] if alive else float("nan"),
        "presentations": trained.records[-1]["presentations"],
        "spikes": round(min(spikes) * 1000),
        "network_spikes": sum(spikes),
    }


def agreement(trial: Trial, network: Network, images: Data) -> dict[str, float]:
    """Run Brian2 and the mirror in float64, and compare errors and spikes."""
    from bioae.analysis.coding.reconstruction import sum_squared_error

    both = in_both(trial, network, images, "agreement")
    errors = [sum_squared_error(each).to_numpy() for each in (both.result, both.mirror)]
    return {
        ERROR_DIFFERENCE: float(np.abs(errors[0] - errors[1]).max()),
        DIFFERING: both.spikes[DIFFERING],
    }


def cortical(trial: Trial, network: Network, images: Data) -> tuple[NDArray[Any], dict[str, float]]:
    """Run Brian2 on all images: latent spike counts (example, neuron), and what cortex compares."""
    from bioae.analysis import chance_isi_cv, neuron_statistics, population_sparseness
    from bioae.analysis.coding.reconstruction import sum_squared_error

    result = trial.simulate(network, images, "whole")
    layer = str(network.config.latent)
    neurons = neuron_statistics(result, layer)
    sparseness = population_sparseness(result, layer, of="alive")  # recordings find no others
    counts: NDArray[Any] = result[f"layers/{layer}"]["spike_count"].to_numpy()
    return counts, {
        "brian2_error": float(sum_squared_error(result).mean()),
        "rate_hz": float(neurons["firing_rate"].median()),
        "cv": float(neurons["isi_cv"].mean()),
        "cv_chance": float(chance_isi_cv(result, layer).mean()),
        "sparseness": float(neurons["lifetime_sparseness"].mean()),
        "population_sparseness": float(sparseness.mean()),
    }


def conventional(fitted: Trained, images: Data, few: Data, seed: int) -> dict[str, float]:
    """Return the numbers of a baseline: error, latent activity, class structure; noise on few."""
    baseline = fitted.network
    latents = baseline.latent(images)
    numbers = {
        "error": fitted.summary["test_sum_squared_error"],
        "presentations": fitted.records[-1]["presentations"],
        **noise_errors(few, seed, lambda noisy, _: baseline.predict(noisy)),
    }
    if not latents.shape[1]:
        return numbers
    fires = latents != 0
    alive = float(fires.any(0).mean())
    return {
        **numbers,
        "alive": alive,
        "dead": 1 - alive,
        "active": float(fires.mean()),
        **class_structure(latents, np.asarray(images.labels), seed),
    }


def noise_errors(
    images: Data, seed: int, reconstruct: Callable[[NDArray[Any], str], ArrayLike]
) -> dict[str, float]:
    """Return the numbers of `NOISE`: squared errors to the clean images.

    `images`, `seed`: the clean images, and the seed of the noise; `reconstruct`: reconstructs noisy
    images (example, y, x), and takes the column's name, too.
    """
    clean, errors = images.as_float(), {}
    for name, fraction in zip(NOISE, _NOISE, strict=True):
        noise = np.random.default_rng(seed).random(clean.shape)
        outputs = np.asarray(reconstruct((1 - fraction) * clean + fraction * noise, name))
        errors[name] = float(((outputs.reshape(clean.shape) - clean) ** 2).sum() / len(clean))
    return errors


def draw_cortex(rows: Rows, conditions: Iterable[str]) -> Figure:
    """Draw firing in Brian2 by condition, with the closed ranges that were measured in cortex.

    Ranges that were not read in the text that reports them are hatched.
    """
    from bioae.analysis.measures.reference import references

    ranges = {
        column: [
            (each.low, each.high, each.verified)
            for each in references()
            if each.statistic == statistic and each.low is not None and each.high is not None
        ]
        for column, (statistic, _) in _CORTEX.items()
    }
    panels = {column: title for column, (_, title) in _CORTEX.items()}
    return dots(rows, panels, ranges, conditions=conditions, log=["rate_hz"])


def time_errors(trial: Trial, network: Network, images: Data) -> dict[str, float]:
    """Return the numbers of `TIME`: what the decoder has read when a presentation is cut short.

    A divisor that the decoder has is shortened like the one it would have without: the output is
    read on the scale of the steps that there are.
    """
    from bioae.analysis.coding.reconstruction import sum_squared_error

    errors, config = {}, network.config
    for name, part in zip(TIME, _PARTS, strict=True):
        cut = network.with_time(steps=max(1, round(part * config.steps)))
        if config.decoder.scale is not None:
            ratio = cut.config.default_scale / config.default_scale
            decoder = config.decoder.model_copy(update={"scale": config.decoder.scale * ratio})
            cut = replace(cut, config=cut.config.varied(decoder=decoder))
        errors[name] = float(sum_squared_error(trial.mirror(cut, images)).mean())
    return errors


def class_structure(latents: NDArray[Any], labels: NDArray[Any], seed: int) -> dict[str, float]:
    """Return the numbers of `CLASSES` of latent activity, (example, neuron)."""
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(seed)
    shuffled = [_within_over_between(latents, rng.permutation(labels)) for _ in range(20)]
    classifier = make_pipeline(StandardScaler(), RidgeClassifier())
    return {
        "class_ratio": _within_over_between(latents, labels),
        "class_ratio_shuffled": float(np.mean(shuffled)),
        "readout": float(cross_val_score(classifier, latents, labels, cv=5).mean()),
    }


def _within_over_between(latents: NDArray[Any], labels: NDArray[Any]) -> float:
    """Return the mean squared distance of pairs of one class, over that of pairs of two classes."""
    from bioae.analysis.coding.class_responses import mean_squared_distances

    centred = latents.astype(float) - latents.mean(0)
    classes, index = np.unique(labels, return_inverse=True)
    member = index == np.arange(classes.size)[:, None]
    squares = (member * (centred**2).sum(1)).sum(1)
    sums = member.astype(float) @ centred
    _, within, between = mean_squared_distances(member.sum(1), squares, sums)
    return within / between if between else float("nan")
