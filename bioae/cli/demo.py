"""``bioae demo``: training, simulation and report on the embedded digits, in a few minutes."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.cli.demo_runs import RUNS, train_all
from bioae.cli.options import Positive, Steps
from bioae.simulation.backend import LABELS, Target

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

    from bioae.datasets import Data
    from bioae.runs import Trained

__all__ = ["demo", "firing"]

#: The run that Brian2 simulates.
MAIN = "regularised"
BRIAN2, MIRROR = "regularised (Brian2)", "regularised (mirror)"

REPORT, SUMMARY = "report.html", "summary.json"

_CURVES = (
    "reconstruction",
    "validation_sum_squared_error",
    "layers.latent.dead_fraction",
    "layers.latent.bursting_fraction",
    "layers.latent.rate_per_step_mean",
)


def demo(
    *,
    out: Path = Path("bioae-demo"),
    limit: Positive | None = None,
    epochs: Steps | None = None,
    target: Target = "cpp_standalone",
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Train on the embedded digits, run in Brian2, compare, and write a report.

    Trains an auto-encoder of soft-reset neurons with a regulariser of firing and without, and one
    by the rule of Hübotter et al. (2021) without regularisers, whose neurons die and burst. Runs
    the first in Brian2 on held-out digits, and compares it with the PyTorch mirror spike for spike.

    Parameters
    ----------
    out
        The folder to write to.
    limit
        The number of held-out digits to simulate; all 500 by default.
    epochs
        The number of training epochs; 10 by default, and 6 by the rule of the paper.
    target
        Brian2's target.
    overwrite
        Replace an earlier demo in the folder.
    json
        Print the numbers as one JSON object.
    """
    from rich.console import Console

    from bioae.datasets import load
    from bioae.extras import need_torch
    from bioae.simulation.targets.activation import check_target

    need_torch("bioae demo")
    console = Console(stderr=True)
    check_target(target)
    _check_outputs(out, overwrite)
    digits = load("sample", "test", limit)
    runs = train_all(out, epochs=epochs, overwrite=overwrite, console=console)
    results = _simulate(runs, digits, out, target, console)
    report = out / REPORT
    numbers = _numbers(results, load("sample", "train").as_float())
    _write_report(report, runs, results, numbers)
    _write_json(out / SUMMARY, numbers)
    if json:
        print(json_format.dumps(numbers))
    else:
        _print(numbers, report)
    return 0 if numbers["differing_spikes"] == 0 else 1


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


def _check_outputs(out: Path, overwrite: bool) -> None:
    """Reject a folder that cannot hold a demo, before anything is trained."""
    from bioae.files import check_output

    check_output(out, overwrite=overwrite, kind="folder")
    for name in RUNS:
        check_output(out / name, overwrite=True, kind="folder")
    for name in (REPORT, SUMMARY, *(f"{each}.nc" for each in _stored())):
        check_output(out / name, overwrite=True, kind="file")


def _stored() -> list[str]:
    """Return the names of the stored results, in their order."""
    return ["brian2", "mirror", *(name for name in RUNS if name != MAIN)]


def _simulate(
    runs: Mapping[str, Trained],
    digits: Data,
    out: Path,
    target: Target,
    console: Console,
) -> dict[str, xr.DataTree]:
    """Run the regularised network in Brian2 and the mirror, the others in the mirror only."""
    from bioae.api import simulate
    from bioae.simulation import write_result

    first = "" if target == "numpy" else ", the compiler first"
    console.print(f"Running the regularised network in Brian2 ({LABELS[target]}){first} …")
    results = {BRIAN2: simulate(runs[MAIN].network, digits, target)}
    console.print("Running all networks in the mirror …")
    for name, trained in runs.items():
        shown = MIRROR if name == MAIN else RUNS[name][0]
        results[shown] = simulate(trained.network, digits, "torch")
    for name, result in zip(_stored(), results.values(), strict=True):
        write_result(result, out / f"{name}.nc", overwrite=True)
    return results


def _numbers(results: Mapping[str, xr.DataTree], training_images: Any) -> dict[str, Any]:
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
    """Return a sentence for each result that the run does or does not reproduce."""
    ours, same, paper = (numbers["networks"][name] for name in (MAIN, "unregularised", "paper"))
    lines = []
    for what in ("dead", "bursting"):
        figures = f"{paper[what]:.0%} by the rule of the paper without regularisers"
        figures += f", {same[what]:.0%} with our recipe without one, {ours[what]:.0%} with it"
        seen = "shows" if paper[what] >= 0.1 else "does not show"
        lines.append(f"Latent neurons {what}: {figures}. This run {seen} the paper's pathology.")
    density = f"{same['density']:.3f} without the regulariser, {ours['density']:.3f} with it"
    errors = f"{same['error']:.1f} and {ours['error']:.1f}"
    lines.append(f"Latent density of ours: {density}, at squared errors of {errors}.")
    spikes, differing = numbers["spikes"], numbers["differing_spikes"]
    lines.append(f"Differing spikes between mirror and Brian2: {differing:,} of {spikes:,}.")
    return lines


def _write_report(
    path: Path,
    runs: Mapping[str, Trained],
    results: Mapping[str, xr.DataTree],
    numbers: Mapping[str, Any],
) -> None:
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


def _write_json(path: Path, numbers: Mapping[str, Any]) -> None:
    from bioae.files import write_text

    write_text(path, json_format.dumps(numbers, indent=2) + "\n", overwrite=True)


def _print(numbers: Mapping[str, Any], report: Path) -> None:
    from rich.console import Console

    from bioae.analysis import as_table
    from bioae.cli.tables import print_table

    console = Console()
    for caption, rows in _tables(numbers):
        print_table(as_table(caption, rows), console)
    for line in _verdicts(numbers):
        console.print(line, markup=False)
    console.print(f"Report: {report}", markup=False, soft_wrap=True)
