"""Localised receptive fields without convolutions, from the statistics of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bioae.random import named_stream
from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, mean, smallest
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bioae.datasets import Data

#: The places on the ring, and the hidden units.
LENGTH, UNITS = 40, 40

#: The inverse participation ratio above which a unit counts as localised.
LOCALISED = 0.15

#: The length scales of the classes, relative to the ring: 1 and 3 places, and those of the source.
SHORT, LONG = (0.025, 0.075), (0.1, 0.5)


def run(trial: Trial) -> Mapping[str, float]:
    """Train the condition's network, and measure the localisation of its first weights."""
    networks = {"autoencoder": autoencoder, "digits": digits, "perceptron": perceptron}
    return networks[trial.settings["network"]](trial)


def perceptron(trial: Trial) -> dict[str, float]:
    """Train the first layer of a network whose second layer is fixed at 1/K and -1/K."""
    settings, sizes = trial.settings, trial.sizes
    start = _start(settings, trial.seed)
    if not settings["trained"]:
        return _localisation(start["hidden.weight"])
    from safetensors.numpy import save_file
    from sklearn.metrics import roc_auc_score

    trial.folder.mkdir(parents=True, exist_ok=True)
    initial = trial.folder / "start.safetensors"
    save_file(start, initial)
    train, test = (
        _with_targets(_fields(trial, sizes[split], split), settings) for split in ("train", "test")
    )
    sized = {
        "baseline": {
            "activation": settings["activation"], "bias": settings["bias"], "initial": str(initial),
        },
        "data": trial.data(train, test) | {"validation": sizes["validation"]},
        "training": {
            "learning_rate": settings["rate"] * UNITS, "batch_size": sizes["batch"],
            "epochs": sizes["epochs"] * settings.get("longer", 1),
        },
    }  # fmt: skip
    tables = changed(read("convolutional_structure")["perceptron"], sized)
    result = trial.baseline(tables)
    weights = result.network.arrays()["hidden.weight"]
    return {
        **_localisation(weights),
        **_tiling(weights),
        "discrimination": float(roc_auc_score(test.labels, result.network.predict(test)[:, 1])),
        "error": result.summary["test_mean_squared_error"],
    }


def autoencoder(trial: Trial) -> dict[str, float]:
    """Train a dense spiking auto-encoder of the fields, unless the condition is without.

    It runs in Brian2 and in the mirror.
    """
    from bioae.analysis import reconstruction_errors
    from bioae.datasets import Data

    sizes = trial.sizes
    fields = {split: _fields(trial, sizes[f"images_{split}"], split) for split in ("train", "test")}
    largest = abs(fields["train"].as_float()).max()

    def images(split: str) -> Data:
        values = (fields[split].as_float() / largest).clip(-1.0, 1.0)
        pixels = 0.5 + 0.5 * values[:, None]
        return Data.of_images(
            pixels, labels=fields[split].labels, indices=fields[split].indices, name="ring_fields",
            split=split,
        )  # fmt: skip

    train, test = images("train"), images("test")
    tables = changed(
        read("convolutional_structure")["autoencoder"],
        {"training": {"epochs": sizes["image_epochs"]}},
    )
    if trial.settings["trained"]:
        network = trial.train(tables | {"data": trial.data(train, test)}).network
    else:
        network = trial.untrained(tables["network"])
    both = in_both(trial, network, test)
    errors = reconstruction_errors(both.result, train.as_float())["sum_squared_error"]
    error, chance = (float(errors.sel(predictor=name)) for name in ("network", "mean_image"))
    return {
        **_localisation(np.asarray(network.weights["latent.weight"])),
        "relative_error": error / chance,
        **both.spikes,
    }


def digits(trial: Trial) -> dict[str, float]:
    """Measure the first kernels of the auto-encoder of digits that comes with bioae."""
    from bioae.networks import Network
    from bioae.networks.artefact import load

    network = load("sae-mnist").network
    if not trial.settings["trained"]:
        network = Network.initialise(network.config, seed=trial.seed)
    kernels = np.asarray(network.weights["encoder1.weight"])
    return _localisation(kernels.reshape(len(kernels), -1))


def _localisation(weights: NDArray[Any]) -> dict[str, float]:
    """Return the localisation of units by their weights (unit, place)."""
    ratios = _ratios(weights)
    return {"median": float(np.median(ratios)), "localised": float((ratios > LOCALISED).mean())}


def _tiling(weights: NDArray[Any]) -> dict[str, int]:
    """Return the number of places with the largest weight of a localised unit, and of eighths."""
    places = np.unique(abs(weights[_ratios(weights) > LOCALISED]).argmax(1))
    return {"places": len(places), "eighths": len(np.unique(places * 8 // LENGTH))}


def _ratios(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Return the inverse participation ratio of each unit."""
    import xarray as xr

    from bioae.analysis import inverse_participation_ratio

    field = xr.DataArray(np.asarray(weights, np.float64), dims=("unit", "place"))
    return np.asarray(inverse_participation_ratio(field, dims=("place",)))


def _start(settings: Mapping[str, Any], seed: int) -> dict[str, NDArray[np.float32]]:
    """Return the initial first layer, and the fixed second one."""
    signs = np.array([[1.0], [-1.0]])
    deviation = 0.1 / np.sqrt(LENGTH)
    arrays = {
        "hidden.weight": named_stream(seed, "convolutional_structure", "weights").normal(
            0.0, deviation, (UNITS, LENGTH)
        ),
        "output.weight": np.broadcast_to(signs / UNITS, (2, UNITS)),
    }
    if settings["bias"]:
        arrays["hidden.bias"] = np.where(np.arange(UNITS) < UNITS // 2, 1.0, -1.0)
    return {name: np.ascontiguousarray(each, np.float32) for name, each in arrays.items()}


def _fields(trial: Trial, examples: int, split: Any) -> Data:
    from experiments.synthetic import ring_fields

    options = trial.settings["fields"]
    return ring_fields(examples, length=LENGTH, split=split, seed=trial.seed, **options)


def _with_targets(fields: Data, settings: Mapping[str, Any]) -> Data:
    """Return fields with a target for each class: 1 for its own, and 0 or -1 for the other."""
    own = fields.labels[:, None] == np.arange(2)  # type: ignore[index]  # they have labels
    values = np.asarray(fields.values, np.float32)
    return replace(fields, values=values, targets=np.where(own, 1.0, settings["other"]))


def draw_localisation(rows: Rows) -> Figure:
    """Localisation of receptive fields: seeds and their mean; an even field has 1/40 = 0.025."""
    titles = {"median": "median of the ratio", "localised": f"fraction above {LOCALISED}"}
    return dots(rows, titles)


def _condition(
    text: str,
    activation: str = "relu",
    *,
    rate: float = 0.05,
    longer: int = 1,
    trained: bool = True,
    quick: bool = False,
    first_seed: int = 0,
    **fields: Any,
) -> Condition:
    settings = {
        "network": "perceptron", "activation": activation, "rate": rate, "trained": trained,
        # An odd function without biases could not tell symmetric classes.
        "bias": activation == "erf", "other": -1.0 if activation == "erf" else 0.0,
        "fields": {"gain": 3.0, "scales": LONG, "negative": "magnitude", **fields},
    }  # fmt: skip
    if longer > 1:
        settings["longer"] = longer
    return Condition(text, settings, quick=quick, may_be_silent=True, first_seed=first_seed)


def _pose(ending: str, activation: str, **options: Any) -> dict[str, Condition]:
    """Return the conditions of the claim and its controls for a kind of unit."""
    fields: dict[str, tuple[str, dict[str, Any]]] = {
        "": ("gain 3", {}),
        "-clone": ("Gaussian fields of the same covariance", {"gaussian": True}),
        "-small-gain": ("gain 0.3: almost Gaussian", {"gain": 0.3}),
    }
    return {
        f"{activation}{ending}{name}": _condition(
            f"{activation}, {text}", activation, **options, **changes
        )
        for name, (text, changes) in fields.items()
    }


_SHORT: dict[str, Any] = {"negative": "zero", "first_seed": 20}
_REVERSED = "relu, the label 1 has the shorter length scale"
_PERCEPTRONS = {
    **_pose("-short", "relu", longer=4, quick=True, scales=SHORT, **_SHORT),
    **_pose("-short", "erf", longer=2, rate=0.1, scales=SHORT, **_SHORT),
    "relu-short-reversed": _condition(_REVERSED, longer=4, scales=SHORT[::-1], **_SHORT),
    "untrained": _condition("initial weights", trained=False, quick=True),
}
_FAST = "erf, 40 times the learning rate"
_SUPERSEDED = {
    **_pose("", "relu"),
    **_pose("", "erf"),
    "relu-reversed": _condition(_REVERSED, scales=LONG[::-1]),
    "relu-zero": _condition("relu, negative eigenvalues are 0", negative="zero"),
    "erf-fast": _condition(_FAST, "erf", rate=2.0),
    "erf-fast-zero": _condition(
        f"{_FAST}, negative eigenvalues are 0", "erf", rate=2.0, negative="zero"
    ),
    "erf-fast-zero-clone": _condition(
        "the same, Gaussian fields of the same covariance", "erf", rate=2.0, negative="zero",
        gaussian=True,
    ),
}  # fmt: skip


def _spiking(
    text: str, network: str, *, trained: bool = True, seeds: int = 5, **fields: Any
) -> Condition:
    settings: dict[str, Any] = {"network": network, "trained": trained}
    if network == "autoencoder":
        settings["fields"] = {"gain": 3.0, "scales": LONG, "negative": "magnitude", **fields}
    return Condition(
        text, settings, seeds=seeds, quick=network == "autoencoder" and trained and not fields,
        may_be_silent=network == "digits" or not trained,
    )  # fmt: skip


_SPIKING = {
    "autoencoder": _spiking("dense spiking auto-encoder of the fields, gain 3", "autoencoder"),
    "autoencoder-clone": _spiking(
        "of Gaussian fields of the same covariance", "autoencoder", gaussian=True
    ),
    "autoencoder-untrained": _spiking("with initial weights", "autoencoder", trained=False),
    "digits": _spiking(
        "kernels of the first convolution of `sae-mnist`, 25 places", "digits", seeds=1
    ),
    "digits-untrained": _spiking("the same, initial weights", "digits", trained=False),
}
_TILED = "eighths of the ring with a localised unit"
_CONTROLS = [name for name in _PERCEPTRONS if name.endswith(("clone", "small-gain"))]

EXPERIMENT = Experiment(
    title="Emergence of convolutional structure",
    source="Ingrosso & Goldt (2022), PNAS 119, e2201854119, "
    "[arXiv:2202.00565](https://arxiv.org/abs/2202.00565)",
    claim="Dense networks that tell translation-invariant fields of two short length scales apart "
    "learn localised receptive fields all over the ring if the fields are far from Gaussian, and "
    "none if they are Gaussian with the same covariance.",
    source_says="Ingrosso & Goldt say that dense networks learn localised receptive fields that "
    "tile space from inputs that are invariant to translation, and that what triggers it is their "
    "non-Gaussian structure. Here the length scales are 1 and 3 places of a ring of 40; at 0.1 and "
    "0.5 of the ring, as in their code, the first rows missed all marks (below).",
    source_part="short length scales",
    conditions=_PERCEPTRONS | _SUPERSEDED | _SPIKING,
    columns={
        "median": Column("median inverse participation ratio of the first weights"),
        "localised": Column(f"units with a ratio above {LOCALISED}, fraction"),
        "places": Column(f"places with the largest weight of a unit above {LOCALISED}"),
        "eighths": Column(f"eighths of the ring with a unit above {LOCALISED}"),
        "discrimination": Column("area under the ROC curve on the test split"),
        "error": Column("mean squared error on the test split"),
        "relative_error": Column("squared error, divided by that of the mean image"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "train": 100_200, "validation": 200, "test": 2000, "batch": 200, "epochs": 8,
        "images_train": 4000, "images_test": 500, "image_epochs": 20,
    },
    quick={
        "train": 40_200, "validation": 200, "test": 500, "batch": 200, "epochs": 5,
        "images_train": 600, "images_test": 40, "image_epochs": 4,
    },
    criteria=(
        *(
            claim(f"{text}, {statistic.conditions[0]}", statistic, ">=", threshold, quick,
                  in_quick=quick is not None, source=True)
            for text, statistic, threshold, quick in (
                ("median ratio", mean("median", "relu-short"), 0.15, 0.1),
                ("localised units", mean("localised", "relu-short"), 0.9, None),
                ("localised units", mean("localised", "erf-short"), 0.45, None),
                (_TILED, smallest("eighths", "relu-short"), 8, None),
                (_TILED, smallest("eighths", "erf-short"), 8, None),
                ("places with a localised unit", mean("places", "relu-short"), 30, None),
            )
        ),
        *(
            control(f"{text}, {name}", mean(column, name), relation, threshold)
            for text, column, relation, threshold in (
                ("median ratio", "median", "<=", 0.08),
                ("localised units", "localised", "<=", 0.05),
                ("discrimination", "discrimination", ">=", 0.9),
            )
            for name in _CONTROLS
            if column != "discrimination" or name.endswith("clone")
        ),
        control("median ratio, untrained", mean("median", "untrained"), "<=", 0.08),
        *no_difference(["autoencoder", "autoencoder-clone"]),
    ),
    groups={
        "Claim and controls": tuple(_PERCEPTRONS),
        "First pose, superseded": tuple(_SUPERSEDED),
        "Spiking auto-encoder": tuple(_SPIKING),
    },
    figures={"localisation": draw_localisation},
)  # fmt: skip
