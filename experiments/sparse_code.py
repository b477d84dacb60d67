"""Codes of 100 spiking neurons that fire rarely, compared with conventional networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from experiments.autoencoders.measures import (
    BRIAN2,
    CLASSES,
    FIRING,
    NOISE,
    TIME,
    draw_cortex,
    firing,
    measured,
)
from experiments.common.agreement import no_difference, same_errors
from experiments.common.figures import courses, dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, difference, largest, mean
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bioae.datasets import Data

#: The numbers of passes over 50,000 training images.
EPOCHS = {"50k": 1, "200k": 4, "800k": 16}

#: No parameter of a neuron is trained.
FIXED: dict[str, Any] = {"trainable": [], "learning_rates": {}}

#: The recipe without one of its ingredients.
WITHOUT: dict[str, tuple[str, dict[str, Any]]] = {
    "unregularised": ("no regulariser", {"regularisers": {"lambda2": 0.0}}),
    "hard-reset": ("reset to 0", {"network": {"neurons": {"lif_wide": {"reset": "v = 0"}}}}),
    "fixed-constants": ("constants of neurons not trained", {"training": FIXED}),
    "membrane": (
        "the derivative of the paper, which cannot train time constants: none trained",
        {"training": {"derivative": {"name": "membrane"}, **FIXED}},
    ),
    "bernoulli": (
        "random input spikes of rate 0.2",
        {"network": {"encoder": {"kind": "bernoulli", "rate": 0.2}}},
    ),
    "24-steps": ("24 steps", {"network": {"steps": 24}}),
    "narrow": (
        "16, 32, 32 and 16 channels",
        {"network": {"layers": {
            "encoder1": {"channels": 16}, "encoder2": {"channels": 32},
            "decoder2": {"shape": [32, 4, 4]}, "decoder1": {"channels": 16},
        }}},
    ),
    "paper-rates": ("learning rate 2e-3", {"training": {"learning_rate": 2e-3}}),
}  # fmt: skip

#: Neuron models that take the place of the trained ones, and the presentations of fine-tuning.
NEURONS: dict[str, tuple[str, int]] = {
    "adex": ("50,000 presentations", 1),
    "coba": ("50,000 presentations", 1),
    "hodgkin_huxley": ("calibrated only", 0),
}

#: The trained network that comes with bioae, in which they do.
SHIPPED = "sae-mnist"

#: Of rows with other neurons, before fine-tuning.
CALIBRATED = {
    "calibrated_error": Column("squared error per image, weights calibrated only"),
    "calibrated_density": Column("latent density, weights calibrated only"),
}

#: Changes of the recipe for images that fill their frame. Its kernels of 5 without padding miss the
#: last rows and columns, which digits leave empty; kernels of 4 with padding reach every pixel.
WHOLE_FRAME: dict[str, dict[str, Any]] = {
    "encoder1": {"channels": 16, "kernel": 4, "padding": 1},
    "encoder2": {"channels": 32, "kernel": 4, "padding": 1},
    "decoder2": {"shape": [32, 7, 7]},
    "decoder1": {"channels": 16, "kernel": 4, "padding": 1, "output_padding": 0},
    "output": {"kernel": 4, "padding": 1, "output_padding": 0},
}

#: Half of the steps, more channels, and a price of each spike outside of the latent layer, whose
#: own regulariser is left out: it fires as it needs.
FEW: dict[str, dict[str, Any]] = {
    "network": {
        "steps": 16,
        "decoder": {"scale": 3.0},
        "layers": {
            "encoder1": {"channels": 32}, "encoder2": {"channels": 64},
            "decoder2": {"shape": [64, 4, 4]}, "decoder1": {"channels": 32},
        },
    },
    "regularisers": {
        "lambda2": 0.0,
        "lambda1": {
            "coefficient": 0.01, "layers": ["encoder1", "encoder2", "decoder2", "decoder1"],
        },
    },
}  # fmt: skip

#: The same with kernels that reach every pixel: larger maps, with half of the channels.
FEW_PADDED: dict[str, dict[str, Any]] = changed(
    FEW,
    {"network": {"layers": WHOLE_FRAME}, "regularisers": {"lambda1": {"coefficient": 0.0125}}},
)

#: No time constant above 40 ms, that of the read-out included.
LEAKY: dict[str, dict[str, Any]] = {
    "network": {
        "neurons": {
            "lif_wide": {"trainable": {"tau": ["5*ms", "40*ms"]}, "parameters": {"tau": "40*ms"}}
        },
        "layers": {
            name: {"parameters": {"tau": "40*ms"}}
            for name in ("encoder1", "encoder2", "latent", "decoder2", "decoder1", "output")
        },
    },
    "training": {"frozen": ["output.tau"]},
}

#: Conventional networks of the same shapes.
BASELINES: dict[str, tuple[str, dict[str, Any]]] = {
    "ae": ("auto-encoder, rectified latent layer", {"kind": "autoencoder"}),
    "ae-linear": ("auto-encoder, linear latent layer", {"kind": "autoencoder", "latent": "linear"}),
    "vae": ("variational auto-encoder, beta = 0.1", {"kind": "variational", "beta": 0.1}),
}

#: The text, the epochs and the changes of principal components.
PCA = "100 principal components", 1, {"baseline": {"kind": "pca"}}


def run(trial: Trial) -> Mapping[str, float]:
    """Train on a data set of the condition, and measure on its test split."""
    from bioae.datasets import load

    settings, sizes = trial.settings, trial.sizes
    name = sizes[settings["data"]]
    data = {"name": name, **{key: sizes[key] for key in ("train", "validation", "test")}}
    epochs = {"epochs": min(settings["epochs"], sizes["epochs"])}
    tables = changed(settings["tables"], {"data": data, "training": epochs})
    if "neuron" in settings:
        few = load(name, "test", sizes["test"])[: sizes["few"]]
        numbers = _calibrated(trial, settings["neuron"], few)
        return numbers | (firing(trial.train(tables)) if settings["epochs"] else {})
    return measured(trial, tables, whole=settings["whole"])


def _calibrated(trial: Trial, neuron: str, images: Data) -> dict[str, float]:
    """Simulate the shipped network with another neuron, its weights calibrated to match rates."""
    from bioae.analysis import summary
    from bioae.analysis.coding.reconstruction import sum_squared_error
    from bioae.networks.artefact import load

    result = trial.simulate(load(SHIPPED).network.with_neuron(neuron), images, "calibrated")
    latent = summary(result).sel(layer="latent")
    return {
        "calibrated_error": float(sum_squared_error(result).mean()),
        "calibrated_density": float(latent["rate_per_step_mean"]),
    }


def _condition(
    text: str, epochs: int, changes: Mapping[str, Any] | None = None, *, of: str = "soft_reset",
    data: str = "digits", whole: bool = False, seeds: int = 3, quick: bool = False,
    first_seed: int = 0,
) -> Condition:  # fmt: skip
    tables, silent = read(f"autoencoders/{of}"), of == "conventional"
    if silent:
        tables["network"] = read("autoencoders/soft_reset")["network"]
    tables = changed(tables, changes or {})
    settings = {"tables": tables, "epochs": epochs, "data": data, "whole": whole}
    return Condition(
        text, settings, seeds=seeds, quick=quick, may_be_silent=silent, first_seed=first_seed
    )


def _spiking() -> dict[str, Condition]:
    lambda2 = "lambda2 = 4 with target 0.03"
    sparser = {"regularisers": {"lambda2": {"coefficient": 4.0, "target": 0.03}}}
    return {
        "spiking": _condition("the recipe", 16, whole=True, seeds=5, quick=True),
        "spiking-200k": _condition("the recipe, 200,000 presentations", 4),
        "spiking-50k": _condition("the recipe, 50,000 presentations", 1),
        "sparser": _condition(f"{lambda2}, 400,000 presentations", 8, sparser, seeds=5),
        "few-spikes": _condition(
            "16 steps, 32 and 64 channels, lambda1 = 0.01 outside of the latent layer in place of "
            "lambda2, 400,000 presentations", 8, FEW, whole=True, first_seed=100,
        ),
        "few-spikes-padded": _condition(
            "the same, kernels of 4 with padding, 16 and 32 channels, lambda1 = 0.0125", 8,
            FEW_PADDED, whole=True, first_seed=100,
        ),
        "leaky": _condition(
            "time constants of at most 40 ms, 800,000 presentations", 16, LEAKY, whole=True,
            first_seed=100,
        ),
    }  # fmt: skip


def _baselines() -> dict[str, Condition]:
    conditions = {
        f"{name}-{size}" if size != "800k" else name: _condition(
            text if size == "800k" else f"{text}, {size[:-1]},000 presentations", epochs,
            {"baseline": baseline}, of="conventional", quick=name == "ae" and size == "800k",
        )
        for name, (text, baseline) in BASELINES.items()
        for size, epochs in EPOCHS.items()
    }  # fmt: skip
    conditions["pca"] = _condition(*PCA, of="conventional", seeds=1, quick=True)
    return conditions


def _fashion() -> dict[str, Condition]:
    linear = {"baseline": {"kind": "autoencoder", "latent": "linear"}}
    shapes = {"network": {"layers": WHOLE_FRAME}}
    return {
        "fashion": _condition(
            "the recipe, kernels of 4 with padding, 16 and 32 channels, 400,000 presentations", 8,
            shapes, data="clothes", seeds=5, whole=True,
        ),
        "fashion-ae-linear": _condition(
            "auto-encoder, linear latent layer, the same shapes, 400,000 presentations", 8,
            {**linear, **shapes}, of="conventional", data="clothes",
        ),
        "fashion-ae-linear-kernel5": _condition(
            "auto-encoder, linear latent layer, the recipe's shapes, 400,000 presentations", 8,
            linear, of="conventional", data="clothes",
        ),
        "fashion-pca": _condition(*PCA, of="conventional", data="clothes", seeds=5),
    }  # fmt: skip


def _neurons() -> dict[str, Condition]:
    """Return conditions of seed 0, whose validation split is that of the shipped network."""
    conditions = {}
    for neuron, (text, epochs) in NEURONS.items():
        tables = read("autoencoders/soft_reset")
        init = {"model": SHIPPED, "neuron": neuron, "calibrate": "rate"}
        tables["training"] |= {"init": init, "learning_rate": 2e-3, **FIXED}
        del tables["network"]
        conditions[neuron.replace("_", "-")] = Condition(
            f"`{neuron}` in `{SHIPPED}`, {text}",
            {"tables": tables, "epochs": epochs, "data": "digits", "neuron": neuron},
            seeds=1, quick=False, may_be_silent=True,
        )  # fmt: skip
    return conditions


def _without() -> dict[str, Condition]:
    return {
        name: _condition(f"{text}, 50,000 presentations", 1, changes)
        for name, (text, changes) in WITHOUT.items()
    }


def draw_courses(rows: Rows) -> Figure:
    """Squared error by the number of presentations, of the recipe and conventional networks."""
    lines: dict[str, dict[float, str]] = {
        name: {
            epochs * 50_000: name if size == "800k" else f"{name}-{size}"
            for size, epochs in EPOCHS.items()
        }
        for name in ("spiking", *BASELINES)
    }
    panels = {"presentations of training images": lines}
    return courses(rows, "error", panels, "squared error per image")


def draw_brian2(rows: Rows) -> Figure:
    """Latent firing in Brian2, a dot per seed; in grey ranges for cortex (hatched: unchecked)."""
    return draw_cortex(rows, ("spiking", "fashion"))


def draw_ingredients(rows: Rows) -> Figure:
    """Squared error and latent density after 50,000 presentations, without one ingredient."""
    panels = {"error": "squared error per image", "density": "latent density"}
    return dots(rows, panels, conditions=("spiking-50k", *WITHOUT), log=["error"])


_DIGITS, _CLOTHES, _CONVENTIONAL = _spiking(), _fashion(), _baselines()
_LESS, _NEURONS = _without(), _neurons()

EXPERIMENT = Experiment(
    title="100 spiking neurons that fire rarely",
    source="the recipe is ours; its parts are those of `docs/training.md`",
    claim="A spiking auto-encoder with 100 latent neurons that fire in less than 10 % of the "
    "steps, none of them dead or bursting, reconstructs digits with about half the error of 100 "
    "principal components; with 5,000 spikes in the whole network it has an error of at most "
    "3, and with time constants of at most 40 ms of at most 2.5.",
    conditions=_DIGITS | _CLOTHES | _CONVENTIONAL | _LESS | _NEURONS,
    columns={**FIRING, **CALIBRATED, **BRIAN2, **CLASSES, **NOISE, **TIME},
    run=run,
    sizes={
        "digits": "mnist", "clothes": "fashion-mnist", "train": 60_000, "validation": 10_000,
        "test": 10_000, "few": 1000, "epochs": 100,
    },
    quick={
        "digits": "sample", "clothes": "sample", "train": 260, "validation": 60, "test": 60,
        "few": 10, "epochs": 1,
    },
    criteria=(
        claim("error on digits", mean("error", "spiking"), "<=", 2.3, 60.0),
        claim("latent density", largest("density", "spiking"), "<=", 0.1, 0.5),
        claim("dead latent neurons", largest("dead", "spiking"), "<=", 0.0, 0.5),
        claim("bursting latent neurons", largest("bursting", "spiking"), "<=", 0.0, 0.5),
        claim("error of the sparser network", mean("error", "sparser"), "<=", 3.5),
        claim("its latent density", largest("density", "sparser"), "<=", 0.05),
        claim("error on clothes, less that of principal components",
              difference("error", "fashion", "fashion-pca"), "<=", 0.0),
        *(
            claim(f"{text}, few spikes{more}", statistic(column, f"few-spikes{name}"), "<=", most)
            for name, more in (("", ""), ("-padded", ", kernels with padding"))
            for text, statistic, column, most in (
                ("error", mean, "error", 3.0),
                ("spikes per image of the whole network", largest, "network_spikes", 5000.0),
                ("dead latent neurons", largest, "dead", 0.0),
            )
        ),
        claim("error with time constants of at most 40 ms", mean("error", "leaky"), "<=", 2.5),
        claim("latent density with time constants of at most 40 ms",
              largest("density", "leaky"), "<=", 0.1),
        *no_difference(["spiking", "fashion", "few-spikes", "few-spikes-padded", "leaky"]),
        *same_errors(["spiking", "fashion", "few-spikes", "few-spikes-padded", "leaky"]),
        control("error of 100 principal components", mean("error", "pca"), "<=", 4.5, 40.0),
        control("gain of trained constants, 50,000 presentations",
                difference("error", "spiking-50k", "fixed-constants"), "<=", 0.0),
        control("latent density without the regulariser", mean("density", "unregularised"), ">=",
                0.1),
    ),
    groups={
        "Spiking networks, digits": tuple(_DIGITS),
        "Conventional networks, digits": tuple(_CONVENTIONAL),
        "Fashion-MNIST": tuple(_CLOTHES),
        "Without one ingredient, 50,000 presentations": tuple(_LESS),
        f"Other neurons in `{SHIPPED}`": tuple(_NEURONS),
    },
    figures={
        "presentations": draw_courses, "ingredients": draw_ingredients,
        "cortex": draw_brian2,
    },
)  # fmt: skip
