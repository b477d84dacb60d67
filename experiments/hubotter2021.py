"""The paper's table: spiking auto-encoders with and without regularisers, and their controls."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from itertools import combinations
from typing import TYPE_CHECKING, Any

from experiments.autoencoders.measures import (
    BRIAN2,
    CLASSES,
    FIRING,
    NOISE,
    TIME,
    draw_cortex,
    measured,
)
from experiments.common.agreement import no_difference, same_errors
from experiments.common.figures import courses, dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, difference, kruskal_p, mean, welch_p
from experiments.runner.experiment import Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What the latent layer and the others are asked for; the coefficients are ours.
SETTINGS: dict[str, dict[str, Any]] = {
    "none": {},
    "dense": {
        "beta2": {"coefficient": 0.003, "target": 0.05},
        "lambda2": {"coefficient": 1.0, "target": 0.2, "layers": ["latent"]},
    },
    "sparse": {
        "beta2": {"coefficient": 0.003, "target": 0.05},
        "lambda2": {"coefficient": 6.0, "target": 0.03, "layers": ["latent"]},
    },
}

#: The settings in the network of the paper, and their form without targets, which is the paper's.
STRIDE1: dict[str, dict[str, Any]] = {
    "none": {},
    "dense": SETTINGS["dense"]
    | {"lambda2": {"coefficient": 10.0, "target": 0.2, "layers": ["latent"]}},
    "sparse": SETTINGS["sparse"],
    "target0": {"beta2": 0.01, "lambda2": {"coefficient": 1.0, "layers": ["latent"]}},
}

#: Small steps for latent neurons, which have 12,800 inputs there, in place of 512.
RETUNED = {"training": {"batch_size": 4, "learning_rates": {"latent.weight": 5e-5}}}

#: Each regulariser alone, in all layers or in the latent layer.
ALONE: dict[str, dict[str, Any]] = {
    "beta1": {"coefficient": 0.003, "target": 0.05},
    "beta2": {"coefficient": 0.003, "target": 0.05},
    "lambda1": {"coefficient": 0.3, "target": 0.2},
    "lambda2": {"coefficient": 1.0, "target": 0.2},
}

#: The number of steps of the rows that are neither main rows nor of the sweep over steps.
STEPS = 25


def run(trial: Trial) -> Mapping[str, float]:
    """Train an auto-encoder and measure it on the test split; run main rows in Brian2, too."""
    settings, sizes = trial.settings, trial.sizes | trial.settings.get("sizes", {})
    data = {key: sizes[key] for key in ("name", "train", "validation", "test")}
    tables = changed(settings["tables"], {"data": data, "training": {"epochs": sizes["epochs"]}})
    steps = tables["network"].get("steps")
    if steps:  # of the quick form, fewer
        tables = changed(tables, {"network": {"steps": min(steps, sizes["steps"])}})
    return measured(trial, tables, whole=settings["whole"])


def _condition(
    text: str,
    changes: Mapping[str, Any],
    *,
    of: str = "paper",
    whole: bool = False,
    seeds: int = 3,
    quick: bool = False,
) -> Condition:
    settings = {"tables": read(f"autoencoders/{of}", changes), "whole": whole}
    return Condition(text, settings, seeds=seeds, quick=quick, may_be_silent=True)


def _spiking(terms: Mapping[str, Any], *, steps: int = STEPS, **network: Any) -> dict[str, Any]:
    return {"regularisers": dict(terms), "network": {"steps": steps, **network}}


def _clamped(level: str) -> dict[str, Any]:
    """Return a network's keys for neurons whose potential below -theta is set to a level."""
    text = (files("bioae.equations") / "neurons" / "lif.toml").read_text(encoding="utf-8")
    events = {"clamp": {"condition": "v < -theta", "reset": f"v = {level}"}}
    model = tomllib.loads(text) | {"events": events}
    return {"neuron": "lif_clamped", "neurons": {"lif_clamped": model}}


def _main() -> dict[str, Condition]:
    return {
        name: _condition(
            f"{name}, 100 steps", _spiking(terms, steps=100), whole=True, seeds=5, quick=True
        )
        for name, terms in SETTINGS.items()
    }


def _stride1() -> dict[str, Condition]:
    """Return the settings in the network of the paper itself, which takes much longer.

    It fires a million spikes per image, too many for Brian2 and the whole test split.
    """
    few = {"train": 40_000, "epochs": 2}
    slower = {"training": {"learning_rate": 5e-4}}
    rows: list[tuple[str, str, dict[str, Any], int, int]] = [
        ("none-stride1", "none", {"regularisers": {}}, 3, 0),
        ("dense-stride1", "dense", {"regularisers": SETTINGS["dense"]}, 1, 0),
        ("none-stride1-slower", "none, learning rate 5e-4", {"regularisers": {}, **slower}, 1, 0),
        ("none-stride1-fresh", "none, other seeds", {"regularisers": {}}, 3, 100),
    ]
    rows += [
        (f"{name}-stride1-retuned", f"{name}, retuned", {**RETUNED, "regularisers": terms}, 3, 100)
        for name, terms in STRIDE1.items()
    ]
    conditions = {}
    for key, name, changes, seeds, first_seed in rows:
        tables = read("autoencoders/paper", changes)
        tables["network"] = {"preset": "paper"}
        conditions[key] = Condition(
            f"{name}, convolutions of stride 1 as in the paper, 60,000 presentations",
            {"tables": tables, "whole": False, "sizes": few},
            seeds=seeds, quick=False, may_be_silent=True, first_seed=first_seed,
        )  # fmt: skip
    return conditions


def _sweeps() -> dict[str, Condition]:
    """Return settings by steps and latent neurons; those the notes compare have 5 seeds."""
    steps = {
        f"{name}-t{number}": _condition(
            f"{name}, {number} steps",
            _spiking(terms, steps=number),
            seeds=5 if (name, number) == ("none", 10) else 3,
        )
        for name, terms in SETTINGS.items()
        for number in (10, 20, 50)
    }
    sizes = {
        f"{name}-latent{units}": _condition(
            f"{name}, {units} latent neurons, {STEPS} steps",
            _spiking(terms, layers={"latent": {"units": units}}),
            seeds=5 if (name, units) == ("none", 100) else 3,
        )
        for name, terms in SETTINGS.items()
        for units in (10, 20, 50, 100)
    }
    long = {
        f"dense-latent{units}-long": _condition(
            f"dense, {units} latent neurons, 100 steps",
            _spiking(SETTINGS["dense"], steps=100, layers={"latent": {"units": units}}),
        )
        for units in (10, 20, 50)
    }
    return steps | sizes | long


def _alone() -> dict[str, Condition]:
    return {
        f"{name}-{where}": _condition(
            f"{name} alone, {text}, {STEPS} steps", _spiking({name: {**term, "layers": layers}})
        )
        for name, term in ALONE.items()
        for where, text, layers in (
            ("all", "all layers", "all"), ("latent", "latent layer", ["latent"]),
        )
    }  # fmt: skip


def _faster() -> dict[str, Condition]:
    """Return settings at twice the learning rate."""
    faster = {"training": {"learning_rate": 4e-3}}
    return {
        f"{name}-faster": _condition(
            f"{name}, 100 steps, learning rate 4e-3",
            _spiking(SETTINGS[name], steps=100) | faster,
            whole=True,
        )
        for name in ("none", "dense")
    }


def _controls() -> dict[str, Condition]:
    arctan = {"training": {"derivative": {"name": "arctan", "alpha": 2.0}}}
    decay = [("", "1e-4", 5), ("-1e-3", "1e-3", 3), ("-1e-2", "1e-2", 3)]
    return {
        **{
            f"weight-decay{ending}": _condition(
                f"l2 = {coefficient} of the weights alone, {STEPS} steps",
                _spiking({"l2": float(coefficient)}),
                seeds=seeds,
            )
            for ending, coefficient, seeds in decay
        },
        "arctan": _condition(
            f"no regulariser, a derivative with support below threshold, {STEPS} steps",
            _spiking({}) | arctan,
        ),
        "clamp-negative": _condition(
            f"no regulariser, potentials below -theta set to -theta, {STEPS} steps",
            _spiking({}, **_clamped("-theta")),
        ),
        "clamp-positive": _condition(
            f"no regulariser, potentials below -theta set to +theta as in the public code, "
            f"{STEPS} steps",
            _spiking({}, **_clamped("theta")),
        ),
        "too-sparse": _condition(
            f"lambda2 = 100 with target 0, {STEPS} steps", _spiking({"lambda2": 100.0})
        ),
    }


def _baselines() -> dict[str, Condition]:
    kinds: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
        "ae": ("auto-encoder, rectified latent layer", {"kind": "autoencoder"}, {}),
        "ae-linear": (
            "auto-encoder, linear latent layer", {"kind": "autoencoder", "latent": "linear"}, {},
        ),
        "ae-weight-decay": (
            "auto-encoder with weight decay", {"kind": "autoencoder"},
            {"training": {"optimiser": {"name": "adamw", "weight_decay": 0.01}}},
        ),
        "vae": ("variational auto-encoder", {"kind": "variational"}, {}),
        "beta-vae": (
            "variational auto-encoder, beta = 0.1", {"kind": "variational", "beta": 0.1}, {},
        ),
        "pca": ("100 principal components", {"kind": "pca"}, {}),
        "mean-image": ("mean of the training images", {"kind": "mean_image"}, {}),
        "zero": ("zero", {"kind": "zero"}, {}),
    }  # fmt: skip
    trained = ("autoencoder", "variational")
    return {
        name: _condition(
            text, {"baseline": kind, **changes}, of="conventional",
            seeds=5 if kind["kind"] in trained else 1, quick=name in {"ae", "pca", "mean-image"},
        )
        for name, (text, kind, changes) in kinds.items()
    }  # fmt: skip


def draw_main(rows: Rows) -> Figure:
    """Error, dead and bursting latent neurons, and density of the living: seeds and their mean."""
    panels = {
        "error": "squared error per image",
        "dead": "dead fraction",
        "bursting_alive": "bursting of the living",
        "density_alive": "density of the living",
    }
    return dots(rows, panels, conditions=SETTINGS)


def draw_brian2(rows: Rows) -> Figure:
    """Latent firing in Brian2, a dot per seed; in grey ranges for cortex (hatched: unchecked)."""
    return draw_cortex(rows, SETTINGS)


def draw_sweeps(rows: Rows) -> Figure:
    """Squared error by steps (100 latent neurons) and by latent neurons (25 steps): mean, range."""
    # The quick form has main rows only, of fewer steps.
    full = {100.0: ""} if "none-t10" in rows else {}
    endings = {n: f"-t{n:g}" for n in (10.0, 20.0, 50.0)} | full
    steps = {s: {n: f"{s}{ending}" for n, ending in endings.items()} for s in SETTINGS}
    units = {s: {n: f"{s}-latent{n:g}" for n in (10.0, 20.0, 50.0, 100.0)} for s in SETTINGS}
    panels = {"steps": steps, "latent neurons": units}
    return courses(rows, "error", panels, "squared error per image")


_MAIN, _STRIDE1, _CONVENTIONAL = _main(), _stride1(), _baselines()
_FASTER, _SWEEPS, _ALONE, _CONTROLS = _faster(), _sweeps(), _alone(), _controls()

EXPERIMENT = Experiment(
    title="Dying, bursting and reconstruction: the table of the paper",
    source="Hübotter, Lanillos & Tomczak (2021), [arXiv:2109.11045](https://arxiv.org/abs/2109.11045)",
    claim="Without regularisers of firing, most latent neurons of a spiking auto-encoder die or "
    "burst; with them neither happens, and reconstruction is as good as published.",
    source_says="Hübotter et al. say that regularisers of membrane potentials and spikes avoid "
    "the dead latent neurons, 83 % without them, and the bursting ones, and lower the error "
    "significantly, to that of conventional auto-encoders; and that the latent layer shows the "
    "classes, unlike that of a variational one.",
    source_part="without resistance to noise",
    conditions=_MAIN | _FASTER | _STRIDE1 | _CONVENTIONAL | _SWEEPS | _ALONE | _CONTROLS,
    columns={**FIRING, **BRIAN2, **CLASSES, **NOISE, **TIME},
    run=run,
    sizes={
        "name": "mnist", "train": 60_000, "validation": 10_000, "test": 10_000, "few": 1000,
        "epochs": 4, "steps": 100,
    },
    quick={
        "name": "sample", "train": 160, "validation": 60, "test": 60, "few": 10, "epochs": 1,
        "steps": 15,
    },
    criteria=(
        claim("dead without regularisers", mean("dead", "none"), ">=", 0.3, 0.0),
        claim("bursting without regularisers, of the living",
              mean("bursting_alive", "none"), ">=", 0.5, 0.0, source=True),
        claim("error without regularisers", mean("error", "none"), ">=", 25.0),
        *(
            claim(f"{text} without regularisers, learning rate 4e-3",
                  mean(column, "none-faster"), ">=", least)
            for text, column, least in (
                ("dead", "dead", 0.3), ("bursting of the living", "bursting_alive", 0.5),
                ("error", "error", 25.0),
            )
        ),
        claim("dead, dense, learning rate 4e-3", mean("dead", "dense-faster"), "<=", 0.05),
        *(
            claim(f"{column}, {name}", mean(column, name), "<=", most, quick,
                  source=column != "density")
            for column, name, most, quick in (
                ("dead", "dense", 0.0, 0.5), ("bursting", "dense", 0.0, 0.5),
                ("error", "dense", 6.75, 85.0), ("error", "sparse", 11.6, 85.0),
                ("density", "sparse", 0.05, 0.5),
            )
        ),
        *(
            claim(f"{text}, in the paper's network", mean(column, name), relation, value,
                  in_quick=False, source=not name.startswith("target0"))
            for text, column, name, relation, value in (
                ("dead without regularisers", "dead", "none-stride1-fresh", ">=", 0.3),
                ("dead, dense", "dead", "dense-stride1-retuned", "<=", 0.0),
                ("bursting, dense", "bursting", "dense-stride1-retuned", "<=", 0.0),
                ("error, dense", "error", "dense-stride1-retuned", "<=", 6.75),
                ("error, sparse", "error", "sparse-stride1-retuned", "<=", 11.6),
                ("density, sparse", "density", "sparse-stride1-retuned", "<=", 0.05),
                ("dead, without targets", "dead", "target0-stride1-retuned", "<=", 0.07),
                ("error, without targets", "error", "target0-stride1-retuned", "<=", 11.6),
            )
        ),
        # The published difference, 6.75 - 4.67.
        claim("error, dense, less that of the auto-encoder with weight decay",
              difference("error", "dense", "ae-weight-decay"), "<=", 2.08, in_quick=False,
              source=True),
        claim("class structure, dense, less that of the variational auto-encoder",
              difference("class_ratio", "dense", "vae"), "<=", 0.0, in_quick=False, source=True),
        claim("errors of the three settings differ", kruskal_p("error", [*SETTINGS]), "<=", 0.01,
              in_quick=False),
        *(
            claim(f"errors of {one} and {other} differ, corrected for three comparisons",
                  welch_p("error", one, other), "<=", 0.01 / 3, in_quick=False,
                  source=one == "none")
            for one, other in combinations(SETTINGS, 2)
        ),
        *no_difference(SETTINGS),
        *same_errors(SETTINGS),
        control("error of the mean image", mean("error", "mean-image"), ">=", 45.0, 30.0),
        control("dead, weight decay alone", mean("dead", "weight-decay"), ">=", 0.2),
        control("dead, derivative with support below threshold", mean("dead", "arctan"), "<=", 0.1),
        control("dead, too strong a penalty", mean("dead", "too-sparse"), ">=", 0.3),
        control("class structure with shuffled labels, dense",
                mean("class_ratio_shuffled", "dense"), ">=", 0.98, 0.5),
    ),
    groups={
        "The three settings": tuple(_MAIN),
        "At twice the learning rate": tuple(_FASTER),
        "The same, convolutions of stride 1": tuple(_STRIDE1),
        "Conventional networks": tuple(_CONVENTIONAL),
        "By the number of steps": tuple(name for name in _SWEEPS if "-t" in name),
        "By the number of latent neurons": tuple(name for name in _SWEEPS if "-latent" in name),
        "Each regulariser alone": tuple(_ALONE),
        "Controls": tuple(_CONTROLS),
    },
    figures={"main": draw_main, "cortex": draw_brian2, "sweeps": draw_sweeps},
)  # fmt: skip
