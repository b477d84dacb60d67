"""Hypercolumns that choose their connections: Hebbian synaptic and structural plasticity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bioae.random import named_stream
from experiments.common.figures import dots
from experiments.common.recipes import read
from experiments.runner.criteria import Rows, claim, control, difference, mean, values_of
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from experiments.common.hypercolumns import Learned

    Numbers = NDArray[np.float64]

#: The penalties of the ridge regression, of which images held out of training choose one.
PENALTIES = (1.0, 10.0, 100.0, 1000.0)

#: The inverse penalty of logistic regression, the best of 0.01, 0.1 and 1 for the pixels.
LOGISTIC = 0.1

#: The least gain over fixed connections, by the fan-in.
GAINS = {"39": 0.05, "20": 0.15, "20-noisy": 0.05, "39-fashion": 0.01}

#: The largest distance from the centre of each ring of pixels but the last; a corner has 19.1.
RINGS = (3, 6, 9, 12, 15)

#: A minicolumn is used if its mean activity is more than this share of an equal one.
USED = 0.1


def run(trial: Trial) -> Mapping[str, float]:
    """Let the hypercolumns of the condition learn, and read them out."""
    from bioae.datasets import load
    from experiments.common.hypercolumns import binary_units

    sizes, kind = trial.sizes, trial.settings["kind"]
    name = trial.settings.get("data", sizes["data"])
    data = {split: load(name, split, sizes[split]) for split in ("train", "test")}
    labels = {split: each.labels for split, each in data.items()}
    inputs = {split: binary_units(each.as_float()) for split, each in data.items()}
    pixels = {split: each[..., 0] for split, each in inputs.items()}
    if kind == "pixels":
        return _readouts(pixels, labels)
    if kind == "perceptron":
        from sklearn.neural_network import MLPClassifier

        fitted = MLPClassifier((1000,), random_state=trial.seed).fit(
            pixels["train"], labels["train"]
        )
        return {"accuracy": float(fitted.score(pixels["test"], labels["test"]))}
    learned = _learned(trial, inputs["train"])
    codes = {split: learned.weights.activity(each) for split, each in inputs.items()}
    _keep(trial, learned)
    height, width = data["train"].as_float().shape[-2:]
    return {
        **_readouts({split: each.reshape(len(each), -1) for split, each in codes.items()}, labels),
        **_places(learned.connected, height, width),
        **_use(codes["test"]),
        "swaps": learned.swaps,
    }


def _learned(trial: Trial, patterns: Numbers) -> Learned:
    """Return the hypercolumns of a condition, as they are read out."""
    from bioae.networks.structure import Structure
    from experiments.common import hypercolumns

    settings, sizes, seed = trial.settings, trial.sizes, trial.seed
    tables = settings["tables"]
    network = hypercolumns.Hypercolumns.model_validate(tables["network"])
    structure = Structure(**{**tables["structure"], "period": sizes["period"]})
    rng = named_stream(seed, "bcpnn")
    if settings["kind"] == "untrained":
        return hypercolumns.untrained(network, structure, patterns, settings["scale"], rng)
    course = {**tables["learning"], "epochs": sizes["epochs"], "single": sizes["single"]}
    score: hypercolumns.Score = hypercolumns.by_information
    if settings["kind"] == "shuffled":
        score = hypercolumns.by_shuffled_information(named_stream(seed, "bcpnn", "scores"))
    return hypercolumns.learn(network, structure, patterns, rng, score=score, **course)


def _keep(trial: Trial, learned: Learned) -> None:
    """Store the connections in the trial's folder, for pictures of them."""
    from safetensors.numpy import save_file

    trial.folder.mkdir(parents=True, exist_ok=True)
    save_file({"connected": learned.connected}, trial.folder / "connections.safetensors")


def _readouts(codes: Mapping[str, Numbers], labels: Mapping[str, Any]) -> dict[str, float]:
    """Return how well linear read-outs, fitted on training images, tell the classes of the test.

    `codes`: numbers of each image, by split (example, number); `labels`: the classes, by split.
    """
    from sklearn.linear_model import LogisticRegression, RidgeClassifier

    held_out = np.arange(len(codes["train"])) % 5 == 0

    def score(penalty: float) -> float:
        ridge = RidgeClassifier(penalty).fit(codes["train"][~held_out], labels["train"][~held_out])
        return float(ridge.score(codes["train"][held_out], labels["train"][held_out]))

    def accuracy(classifier: Any) -> float:
        fitted = classifier.fit(codes["train"], labels["train"])
        return float(fitted.score(codes["test"], labels["test"]))

    penalty = max(PENALTIES, key=score)
    return {
        "accuracy": accuracy(RidgeClassifier(penalty)),
        "logistic": accuracy(LogisticRegression(C=LOGISTIC, max_iter=5000)),
        "penalty": penalty,
    }


def _places(connected: NDArray[np.bool_], height: int, width: int) -> dict[str, float]:
    """Return the distances of connections from the image's centre, and targets by ring."""
    y, x = np.divmod(np.arange(height * width), width)
    radius = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    ring = np.searchsorted(RINGS, radius)
    fan_out = connected.sum(0)
    rings = {f"ring{each}": float(fan_out[ring == each].mean()) for each in range(len(RINGS) + 1)}
    return {
        "radius": float(np.mean([radius[each].mean() for each in connected])),
        "fan_out": int(fan_out.max()),
        "pixels": float((fan_out > 0).mean()),
        **rings,
    }


def _use(activity: Numbers) -> dict[str, float]:
    """Return how sharp the activity is, and the fraction of minicolumns that are used."""
    share = activity.mean(0) * activity.shape[-1]
    return {"sharpness": float(activity.max(-1).mean()), "used": float((share > USED).mean())}


def draw_accuracies(rows: Rows) -> Figure:
    """Accuracy of linear read-outs, and the distance of connections: seeds and their mean."""
    titles = {"accuracy": "accuracy of the class", "radius": "mean radius, pixels"}
    return dots(rows, titles, conditions=(*_DIGITS, *_FEWER))


def draw_rings(rows: Rows) -> Figure:
    """Hypercolumns that are connected to a pixel, by the pixel's distance from the centre."""
    from bioae.analysis.plots.style import colour_of, new_figure

    names = list(rows)
    edges = np.array([0, *RINGS, 20])

    figure = new_figure(4.2, 2.6)
    axes = figure.subplots()
    for name in ("fixed", "shuffled", "learned"):
        values = [values_of(rows, f"ring{each}", name) for each in range(len(RINGS) + 1)]
        if all(map(len, values)):
            means = [float(each.mean()) for each in values]
            axes.stairs(means, edges, color=colour_of(names.index(name)), label=name)
    if axes.get_legend_handles_labels()[0]:
        axes.legend()
    axes.set_xlabel("distance from the centre, pixels")
    axes.set_ylabel("hypercolumns per pixel")
    axes.set_ylim(bottom=0)
    return figure


def _condition(
    text: str, changes: Mapping[str, Any] = {}, settings: Mapping[str, Any] = {}, **options: Any
) -> Condition:
    """Return a condition with tables that differ from those of the file; none of them spikes."""
    both = {"kind": "learned", "tables": read("bcpnn", changes), **settings}
    return Condition(text, both, may_be_silent=True, **options)


def _fewer(
    fan_in: int, ending: str = "", changes: Mapping[str, Any] = {}, **settings: str
) -> dict[str, Condition]:
    """Return the conditions of a smaller fan-in, and its control."""
    kinds: dict[str, tuple[str, dict[str, int]]] = {
        "learned": (f"{fan_in} connections per hypercolumn", {}),
        "fixed": ("the same, connections that stay", {"swaps": 0}),
        "shuffled": ("the same, rewiring by shuffled scores", {}),
    }
    return {
        f"{name}-{fan_in}{ending}": _condition(
            text, {**changes, "structure": {"fan_in": fan_in, **swaps}},
            {"kind": "shuffled" if name == "shuffled" else "learned", **settings},
            seeds=3, quick=False, first_seed=20,
        )
        for name, (text, swaps) in kinds.items()
    }  # fmt: skip


_FIXED = {"structure": {"swaps": 0}}
_LARGE = {"hypercolumns": 30, "minicolumns": 100}
_NOISY = {"counts": 10.0}
_EXTRA: dict[str, Any] = {"seeds": 3, "quick": False}
_DIGITS = {
    "learned": _condition("15 hypercolumns of 60 minicolumns"),
    "fixed": _condition("random connections that stay", _FIXED),
    "shuffled": _condition("rewiring by shuffled scores", {}, {"kind": "shuffled"}),
    "untrained": _condition(
        "random connections and normal weights with the standard deviation of learned ones",
        settings={"kind": "untrained", "scale": 2.0},
    ),
    "untrained-weak": _condition(
        "the same with a standard deviation of 0.3, the best by validation",
        settings={"kind": "untrained", "scale": 0.3},
    ),
    "no-bias": _condition("without bias", {"network": {"bias_gain": 0.0}}, **_EXTRA),
    "noisy-start": _condition(
        "random weights before learning, as in the group's program", {"network": _NOISY}, **_EXTRA
    ),
    "noisy-start-fixed": _condition(
        "the same with connections that stay", {"network": _NOISY, **_FIXED}, **_EXTRA
    ),
    "large": _condition("30 hypercolumns of 100 minicolumns", {"network": _LARGE}, quick=False),
    "large-fixed": _condition(
        "the same with connections that stay", {"network": _LARGE, **_FIXED}, **_EXTRA
    ),
    "pixels": Condition("the binary pixels", {"kind": "pixels"}, may_be_silent=True),
    "perceptron": Condition(
        "a perceptron of the binary pixels", {"kind": "perceptron"}, may_be_silent=True, **_EXTRA
    ),
}
_FEWER = _fewer(39) | _fewer(20) | _fewer(20, "-noisy", {"network": _NOISY})
_FASHION = _fewer(39, "-fashion", data="fashion-mnist") | {
    f"{kind}-fashion": Condition(
        kind, {"kind": kind, "data": "fashion-mnist"}, seeds=1, quick=False, may_be_silent=True
    )
    for kind in ("pixels", "perceptron")
}

EXPERIMENT = Experiment(
    title="Hypercolumns that choose their connections",
    source="Ravichandran, Lansner & Herman 2024, arXiv:2406.04733; comparison and thresholds are "
    "ours",
    claim="Hypercolumns that learn by a Hebbian rule, and exchange connections for those with more "
    "mutual information, learn a code of binary digits from which classes are read out better than "
    "from the pixels, and better than with fixed random connections: by 7 points with 78 "
    "connections, by 5 with 39 and by 15 with 20.",
    source_says="Ravichandran et al. say that a linear classifier of the code does about as well "
    "as conventional multi-layer perceptrons and other brain-like networks. Here it is compared "
    "with a perceptron of 1,000 rectified units.",
    source_part="perceptrons, digits",
    conditions=_DIGITS | _FEWER | _FASHION,
    columns={
        "accuracy": Column("accuracy of a linear read-out of the class"),
        "logistic": Column("the same by logistic regression"),
        "penalty": Column("penalty of the linear read-out", shown=False),
        "radius": Column("mean distance of connections from the centre", "pixels"),
        "fan_out": Column("most hypercolumns of a pixel"),
        "pixels": Column("pixels with a connection, fraction"),
        **{f"ring{each}": Column(f"hypercolumns of a pixel in ring {each}", shown=False)
           for each in range(len(RINGS) + 1)},
        "sharpness": Column("largest activity of a hypercolumn"),
        "used": Column("minicolumns in use, fraction"),
        "swaps": Column("connections exchanged"),
    },
    run=run,
    sizes={
        "data": "mnist", "train": 5000, "test": 10_000, "epochs": 3, "single": 600, "period": 200,
    },
    quick={
        "data": "sample", "train": 400, "test": 200, "epochs": 1, "single": 100, "period": 50,
    },
    seeds=5,
    criteria=(
        claim("accuracy, less that of the pixels",
              difference("accuracy", "learned", "pixels"), ">=", 0.02, -0.4),
        claim("accuracy of the large network, less that of the pixels",
              difference("accuracy", "large", "pixels"), ">=", 0.04),
        claim("accuracy, less that with fixed connections",
              difference("accuracy", "learned", "fixed"), ">=", 0.07, -0.1),
        *(
            claim(f"accuracy with {name} connections, less that with fixed ones",
                  difference("accuracy", f"learned-{name}", f"fixed-{name}"), ">=", gain)
            for name, gain in GAINS.items()
        ),
        claim("accuracy of the large network, less that of a perceptron",
              difference("accuracy", "large", "perceptron"), ">=", -0.02, source=True),
        claim("mean radius of the connections", mean("radius", "learned"), "<=", 8.0, 10.0),
        control("accuracy by shuffled scores, less that with fixed connections",
                difference("accuracy", "shuffled", "fixed"), "<=", 0.03, 0.2),
        control("the same, from below", difference("accuracy", "shuffled", "fixed"), ">=", -0.03,
                -0.3),
        *(
            control(f"accuracy by shuffled scores, less that with fixed ones, {name}",
                    difference("accuracy", f"shuffled-{name}", f"fixed-{name}"), "<=", 0.03)
            for name in GAINS
        ),
        control("accuracy without learning", mean("accuracy", "untrained"), "<=", 0.77, 0.77),
    ),
    groups={
        "10 % of the pixels": tuple(_DIGITS),
        "5 and 2.5 % of the pixels": tuple(_FEWER),
        "Fashion-MNIST, 5 % of the pixels": tuple(_FASHION),
    },
    figures={"accuracies": draw_accuracies, "rings": draw_rings},
)  # fmt: skip
