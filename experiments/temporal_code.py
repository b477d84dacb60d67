"""A sparse code with its spikes at other times, and conventional decoders of its counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.autoencoders.codes import (
    Trains,
    cut,
    evenly_spaced,
    events_of,
    latent_trains,
    trains_of,
)
from experiments.common.agreement import COLUMNS, in_both, no_difference
from experiments.common.figures import dots
from experiments.common.recipes import changed, read
from experiments.runner.criteria import Rows, claim, control, largest, smallest
from experiments.runner.experiment import Column, Condition, Experiment
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from bioae.datasets import Data
    from bioae.networks.network import Network

Numbers = NDArray[np.floating[Any]]

#: The recipe of the networks that have the code, and the one that comes with bioae.
RECIPE, SHIPPED = "autoencoders/soft_reset", "sae-mnist"

#: The codes that are decoded, and the titles of their panels.
CODES = {
    "fired": "as fired", "even": "evenly spaced", "random": "random times",
    "counts": "counts, trained", "timed": "counts, times, trained",
}  # fmt: skip


def run(trial: Trial) -> Mapping[str, float]:
    """Decode the code of a network as fired, at other times, and by decoders that are trained."""
    from bioae.datasets import load
    from bioae.networks.artefact import load as load_network

    sizes, settings = trial.sizes, trial.settings
    data = {key: sizes[key] for key in ("name", "train", "validation", "test")}
    if "network" in settings:
        network = load_network(settings["network"]).network
    else:
        epochs = {"epochs": min(settings["epochs"], sizes["epochs"])}
        network = trial.train(read(RECIPE, {"data": data, "training": epochs})).network
    encoder, decoder, units = cut(network)
    train, test = (load(data["name"], split, data[split]) for split in ("train", "test"))
    whole = trial.mirror(network, test)
    errors = _decoded(trial, decoder, whole, test)
    if not (trial.folder / "timed.npz").exists():  # the last file
        codes = codes_of(latent_trains(encoder, train)), codes_of(trains_of(whole))
        # Of both codes the first half are counts.
        for code, numbers in (("counts", units), ("timed", 2 * units)):
            _save(trial, code, [each[:, :numbers] for each in codes], (train, test))
    errors |= {code: _error(_trained(trial, code), test) for code in ("counts", "timed")}
    ratios = {f"{code}_ratio": errors[code] / errors["fired"] for code in [*CODES][1:]}
    return errors | ratios | {"gain": errors["timed"] / errors["counts"]}


def at_random(trains: Trains, seed: int) -> Trains:
    """Return as many spikes per train at random steps, each as likely."""
    return np.random.default_rng(seed).permuted(trains, axis=-1)


def codes_of(trains: Trains) -> Numbers:
    """Return counts, and the sums of the times from spikes to the end (example, 2 neuron)."""
    left = np.arange(trains.shape[-1], 0, -1)
    return np.hstack([trains.sum(-1), trains @ left]).astype(np.float64)


def _decoded(trial: Trial, decoder: Network, whole: xr.DataTree, test: Data) -> dict[str, float]:
    """Return errors of the decoder of a network, given its result, and agreement in Brian2."""
    fired = trains_of(whole)
    even, random = evenly_spaced(fired), at_random(fired, trial.seed)
    codes = {"fired": fired, "even": even, "random": random}
    outputs = {
        k: trial.mirror(decoder, events_of(each))["output"].to_numpy() for k, each in codes.items()
    }
    kept = outputs["fired"] - whole["reconstruction"].to_numpy().reshape(len(test), -1)
    return {
        **{name: _error(each, test) for name, each in outputs.items()},
        "kept": float(np.abs(kept).max()),
        **in_both(trial, decoder, events_of(even[: trial.sizes["few"]]), "even").spikes,
    }


def _save(trial: Trial, code: str, codes: Sequence[Numbers], images: Sequence[Data]) -> None:
    """Store standardised codes of training and test images, with the images as targets."""
    from bioae.datasets import Data

    centre, scale = codes[0].mean(0), codes[0].std(0) + 1e-9
    known, unknown = (
        Data.of_signals(
            ((each - centre) / scale)[:, None], targets=digits.as_float().reshape(len(digits), -1),
            labels=digits.labels, name=code, split=digits.split,
        )
        for each, digits in zip(codes, images, strict=True)
    )  # fmt: skip
    trial.data(known, unknown, code)


def _trained(trial: Trial, code: str) -> Numbers:
    """Train a conventional decoder of stored codes, and return its outputs of test images."""
    from bioae.datasets import load

    path = str(trial.folder / f"{code}.npz")
    unknown = load(path, "test")
    layers = read(RECIPE)["network"]["layers"][3:]
    for layer in layers:
        layer.pop("neuron", None)
    tables = read("autoencoders/conventional") | {
        "network": {
            "input_shape": list(unknown.shape), "steps": 1, "encoder": {"kind": "frames"},
            "task": {"kind": "regression", "outputs": 784}, "layers": layers,
        },
        "data": {"name": path, "validation": trial.sizes["validation"]},
        "baseline": {"kind": "feedforward"},
    }  # fmt: skip
    training = {
        "epochs": min(trial.settings["decoder"], trial.sizes["epochs"]), "average": 0.99,
        "loss": "sum_squared_error", "schedule": {"warm_up": 0.1, "final": 0.005},
    }  # fmt: skip
    fitted = trial.baseline(changed(tables, {"training": training}), code).network
    outputs: Numbers = fitted.predict(unknown)
    return outputs


def _error(outputs: Numbers, images: Data) -> float:
    """Return the squared error per image."""
    pixels = images.as_float()
    return float(((outputs.reshape(pixels.shape) - pixels) ** 2).sum() / len(pixels))


def draw_codes(rows: Rows) -> Figure:
    """Squared error per image by what a decoder gets of the latent spikes: seeds and their mean."""
    return dots(rows, CODES, same=True)


EXPERIMENT = Experiment(
    title="Spike times of the sparse code",
    source="ours; the networks are those of [`sparse_code`](sparse_code.md)",
    claim="Training moves the code of the sparse auto-encoder from counts of spikes to times. "
    "After 25,000 presentations a decoder trained on counts is within 10 % of the network's "
    "own. After 100,000 the same counts at even distances raise the error by at least 20 %, at "
    "random times threefold, and a decoder of counts is at least 10 % worse; after 800,000 by "
    "50 %, fivefold, and 25 %.",
    conditions={
        "short": Condition(
            "the recipe, 25,000 presentations", {"epochs": 1, "decoder": 4}, first_seed=10
        ),
        "long": Condition(
            "the recipe, 100,000 presentations", {"epochs": 4, "decoder": 8}, quick=False,
            first_seed=10,
        ),
        "shipped": Condition(
            f"`{SHIPPED}`, 800,000 presentations", {"network": SHIPPED, "decoder": 16}, seeds=1
        ),
    },
    columns={
        "fired": Column("squared error per image, spikes as fired"),
        "even": Column("the same, spikes at even distances"),
        "random": Column("the same, spikes at random times"),
        "counts": Column("the same, a conventional decoder of counts"),
        "timed": Column("the same, a conventional decoder of counts and summed times"),
        **{f"{code}_ratio": Column(f"`{code}` divided by `fired`") for code in [*CODES][1:]},
        "gain": Column("`timed` divided by `counts`"),
        "kept": Column("largest difference from the output of the whole network, as fired"),
        **COLUMNS,
    },
    run=run,
    sizes={
        "name": "mnist", "train": 30_000, "validation": 5_000, "test": 500, "few": 50, "epochs": 16,
    },
    quick={"name": "sample", "train": 160, "validation": 60, "test": 30, "few": 5, "epochs": 1},
    criteria=(
        *(
            claim(f"{text}, {name}", smallest(f"{code}_ratio", name), ">=", least,
                  0.5 if name == "short" else None)
            for code, text, marks in (
                ("even", "rise of the error at even distances", (1.05, 1.2, 1.5)),
                ("random", "rise of the error at random times", (1.5, 3.0, 5.0)),
            )
            for name, least in zip(("short", "long", "shipped"), marks, strict=True)
        ),
        claim("error of a decoder of counts, short", largest("counts_ratio", "short"), "<=", 1.1,
              10.0),
        claim("error of a decoder of counts, long", smallest("counts_ratio", "long"), ">=", 1.1),
        claim("error of a decoder of counts, shipped", smallest("counts_ratio", "shipped"), ">=",
              1.25, 1.0),
        control("error of a decoder of times by that of counts, long", largest("gain", "long"),
                "<=", 0.9),
        control("error of a decoder of times by that of counts, shipped",
                largest("gain", "shipped"), "<=", 0.9, 1.5),
        *(
            control(f"outputs that change when the network is cut, {name}", largest("kept", name),
                    "<=", 0.0)
            for name in ("short", "long", "shipped")
        ),
        *no_difference(["short", "long", "shipped"]),
    ),
    figures={"codes": draw_codes},
)  # fmt: skip
