"""Numbers of ``bioae demo``, its tables and its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.simulation.backend import LABELS

if TYPE_CHECKING:
    import xarray as xr

    from bioae.runs import Trained

#: Description of each run, the file of its training configuration in bioae/data/demo, and whether
#: it has regularisers.
RUNS: dict[str, tuple[str, str, bool]] = {
    "regularised": ("soft reset, regularised", "soft_reset", True),
    "unregularised": ("soft reset, not regularised", "soft_reset", False),
    "paper": ("rule of the paper, not regularised", "paper", False),
}

#: The run that Brian2 simulates.
MAIN = "regularised"
BRIAN2, MIRROR = "regularised (Brian2)", "regularised (mirror)"

_CURVES = (
    "reconstruction",
    "validation_sum_squared_error",
    "layers.latent.dead_fraction",
    "layers.latent.bursting_fraction",
    "layers.latent.rate_per_step_mean",
)


def firing(result: xr.DataTree) -> dict[str, float]:
    """Return the fractions of dead and bursting latent neurons, and the latent density."""
    from bioae.analysis import summary

    table = summary(result).sel(layer="latent")
    columns = {
        "dead": "dead_fraction",
        "bursting": "bursting_fraction",
        "density": "rate_per_step_mean",
    }
    return {name: float(table[column]) for name, column in columns.items()}


def numbers_of(results: Mapping[str, xr.DataTree], training_images: Any) -> dict[str, Any]:
    """Return the demo's numbers as plain data."""
    from bioae.analysis import differing_spikes, reconstruction_errors

    regularised = results[BRIAN2]
    networks = {
        name: regularised if name == MAIN else results[text] for name, (text, *_) in RUNS.items()
    }
    errors = {
        name: reconstruction_errors(result, training_images)["sum_squared_error"]
        for name, result in networks.items()
    }
    spikes = differing_spikes(regularised, results[MIRROR])
    parity = {
        str(layer): {
            "brian2": int(spikes["spikes_a"].sel(layer=layer)),
            "mirror": int(spikes["spikes_b"].sel(layer=layer)),
            "differing": int(spikes["differing"].sel(layer=layer)),
        }
        for layer in spikes["layer"].values
    }
    return {
        "target": regularised.attrs["target"],
        "examples": int(regularised.sizes["example"]),
        "networks": {
            name: {"error": float(errors[name].sel(predictor="network")), **firing(result)}
            for name, result in networks.items()
        },
        "predictors": {
            name: float(errors[MAIN].sel(predictor=name)) for name in ("mean_image", "all_zero")
        },
        "parity": parity,
        "spikes": sum(layer["brian2"] for layer in parity.values()),
        "differing_spikes": sum(layer["differing"] for layer in parity.values()),
    }


def _tables(numbers: Mapping[str, Any]) -> list[tuple[str, list[dict[str, object]]]]:

    networks = [
        {
            "": RUNS[name][0],
            "squared error per digit": each["error"],
            "latent neurons dead": each["dead"],
            "bursting": each["bursting"],
            "latent density": each["density"],
        }
        for name, each in numbers["networks"].items()
    ]
    predictors = [
        {"": name.replace("_", " "), "squared error per digit": error}
        for name, error in numbers["predictors"].items()
    ]
    parity = [{"layer": layer, **counts} for layer, counts in numbers["parity"].items()]
    columns = ("brian2", "mirror", "differing")
    total = {name: sum(row[name] for row in numbers["parity"].values()) for name in columns}
    target = LABELS[numbers["target"]]
    return [
        (f"Reconstruction of {numbers['examples']} held-out digits", [*networks, *predictors]),
        (
            f"Spikes in Brian2 ({target}) and in the mirror, float64",
            [*parity, {"layer": "all", **total}],
        ),
    ]


def _verdicts(numbers: Mapping[str, Any]) -> list[str]:
    """Return the answers of the demo in sentences: agreement, dead and bursting, sparseness."""
    ours, same, paper = (numbers["networks"][name] for name in (MAIN, "unregularised", "paper"))
    spikes, differing = numbers["spikes"], numbers["differing_spikes"]
    agreement = f"{differing:,} of {spikes:,} spikes differ between Brian2 and the PyTorch mirror"
    if not differing:
        agreement = f"Brian2 fires the {spikes:,} spikes of the PyTorch mirror, and no other"
    shown = " and ".join(key for key in ("dead", "bursting") if paper[key] >= 0.1)
    return [
        f"{agreement}.",
        (
            f"With the rule of the paper and no regulariser {paper['dead']:.0%} of the latent "
            f"neurons are dead and {paper['bursting']:.0%} burst: "
            f"{shown or 'neither dead nor bursting'} neurons, of those that the paper describes. "
            f"With our recipe {ours['dead']:.0%} are dead and {ours['bursting']:.0%} burst "
            f"({same['dead']:.0%} and {same['bursting']:.0%} without its regulariser)."
        ),
        (
            f"The regulariser changes the density of latent spikes from {same['density']:.3f} to "
            f"{ours['density']:.3f}, and the squared error per digit from {same['error']:.1f} to "
            f"{ours['error']:.1f}."
        ),
    ]


def write(
    path: Path,
    runs: Mapping[str, Trained],
    results: Mapping[str, xr.DataTree],
    numbers: Mapping[str, Any],
) -> None:
    """Write the report of a demo."""
    from bioae.analysis import write_report
    from bioae.datasets import load

    write_report(
        path,
        results,
        title="A spiking auto-encoder, trained in PyTorch, run in Brian2",
        tables=_tables(numbers),
        metrics={RUNS[name][0]: run.metrics for name, run in runs.items()},
        metrics_keys=_CURVES,
        compare=[(BRIAN2, MIRROR)],
        notes=_verdicts(numbers),
        training_images=load("sample", "train").as_float(),
        overwrite=True,
    )


def print_numbers(numbers: Mapping[str, Any], report: Path) -> None:
    """Print the tables of a demo, and the place of its report."""
    from rich.console import Console

    from bioae.analysis import as_table
    from bioae.cli.tables import print_table

    console = Console()
    for caption, rows in _tables(numbers):
        print_table(as_table(caption, rows), console)
    for line in _verdicts(numbers):
        console.print(line, markup=False)
    console.print(f"Report: {report}", markup=False, soft_wrap=True)
