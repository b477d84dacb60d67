"""Degenerate results, wrong objects, and a call of every public function that takes a result."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import brian2
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasters import make

import bioae
from bioae import analysis
from bioae.analysis import plots
from bioae.errors import BioaeError

LAYER = "latent"


def _result(raster: NDArray[np.bool_]) -> xr.DataTree:
    return make(raster, label=np.arange(len(raster)) % 2)


def _random(examples: int, steps: int, neurons: int) -> NDArray[np.bool_]:
    return np.random.default_rng(0).random((examples, steps, neurons)) < 0.3


def _one_spike() -> NDArray[np.bool_]:
    raster = np.zeros((3, 8, 4), bool)
    raster[1, 3, 2] = True
    return raster


RESULTS: dict[str, Callable[[], xr.DataTree]] = {
    "usual": lambda: _result(_random(6, 20, 5)),
    "no labels": lambda: make(_random(6, 20, 5)),
    "no examples": lambda: _result(_random(6, 20, 5)).isel(example=[]),
    "one example": lambda: _result(_random(1, 20, 5)),
    "two examples": lambda: _result(_random(2, 20, 5)),
    "one neuron": lambda: _result(_random(6, 20, 1)),
    "one of each": lambda: _result(_random(1, 1, 1)),
    "no spikes": lambda: _result(np.zeros((6, 20, 5), bool)),
    "one spike": lambda: _result(_one_spike()),
    "one step": lambda: _result(_random(6, 1, 5)),
    "recording": lambda: analysis.from_monitors(
        {LAYER: [[0.001 * k, 0.01 + 0.003 * k, 0.3] for k in range(5)]}, duration=0.1, trials=6
    ),
    "every step": lambda: _result(np.ones((4, 6, 3), bool)),
}

#: What a parameter without a default gets, by its name.
_ARGUMENTS: Mapping[str, Callable[[xr.DataTree], Any]] = {
    "tree": lambda tree: tree, "a": lambda tree: tree, "b": lambda tree: tree,
    "before": lambda tree: tree, "after": lambda tree: tree, "layer": lambda _: LAYER,
    "results": lambda tree: {"a": tree, "b": tree}, "shorter_than_ms": lambda _: 2.0,
    "period_ms": lambda _: 1.0, "window_ms": lambda _: 0.5, "tau_ms": lambda _: 2.0,
    "cost_per_ms": lambda _: 0.5, "pairs": lambda _: [(0, 1)],
    "example": lambda tree: int(tree["example"][0]) if tree.sizes["example"] else 0,
    "trains": lambda tree: analysis.raster(tree, LAYER, neuron=0),
    "field": lambda tree: analysis.spike_triggered_average(tree, LAYER)["average"],
    "plane": lambda tree: analysis.principal_plane(tree, LAYER),
    "matrices": lambda tree: {"a": analysis.correlation_matrix(tree, LAYER)},
    "curves": lambda tree: {"a": analysis.transfer_curve(tree)},
    "filters": lambda tree: {"a": analysis.spike_triggered_average(tree, LAYER)["average"]},
    "values": lambda tree: {"a": {LAYER: analysis.neuron_statistics(tree, LAYER)}},
    "rates": lambda tree: {"a": {LAYER: analysis.firing_rate(tree, LAYER)}},
    "confusions": lambda tree: {"a": analysis.confusion_matrix(tree)},
    "responses": lambda tree: {"a": analysis.rates_by_class(tree, LAYER)},
    "latencies": lambda tree: {"a": {LAYER: analysis.first_spike_latency(tree, LAYER)}},
    "distributions": lambda tree: {"a": {LAYER: analysis.isi_distribution(tree, LAYER)}},
    "synapses": lambda _: {LAYER: {"input": 3, LAYER: 2}},
    "assigned": lambda tree: analysis.assigned_classes(tree, LAYER),
    "weights": lambda _: {"a": np.eye(4)},
    "recorded": lambda _: bioae.Recording(
        np.linspace(0, 1e-9, 400) * brian2.amp,
        dt="1*ms",
        spikes=[[0.1, 0.3], [0.2]],
        voltage=np.full((2, 400), -0.065) * brian2.volt,
    ),
    "starts": lambda _: xr.Dataset(
        {"loss": ("start", [2.0, 1.0]), "final": (("start", "parameter"), [[0.03], [0.02]])},
        {
            "parameter": ["tau"],
            "low": ("parameter", [0.005]),
            "high": ("parameter", [0.05]),
            "unit": ("parameter", ["second"]),
        },
    ),
    "profiles": lambda _: xr.Dataset(
        {name: ("point", [0.01, 0.0, 0.02]) for name in ("value", "loss", "quadratic")}
    ),
    "courses": lambda _: {
        "a": xr.DataArray(
            [[0.1, 0.5, 0.9]],
            dims=("presentation", "quantile"),
            coords={"presentation": [10], "quantile": [0.05, 0.5, 0.95]},
        )
    },
}  # fmt: skip

#: Functions of other things: files, figures, plain values.
_OTHERS = {
    "as_table", "coincidence_factor", "compare_values", "example_result", "explained_variance",
    "from_monitors", "layer_verdicts", "md_star",
    "memorised_labels", "open_result", "print_style", "psth", "read_metrics", "read_spikes",
    "save_figure", "to_csv", "to_neo", "to_nwb", "to_svg", "training_curves", "verdict",
    "weight_fields", "wilson_interval", "write_page", "write_report",
}  # fmt: skip


def functions() -> dict[str, Callable[..., Any]]:
    """Return the public functions that take a result, or something computed from one."""
    found = {
        name: getattr(package, name)
        for package in (plots, analysis)
        for name in dir(package)
        if inspect.isfunction(getattr(package, name)) and not name.startswith("_")
    }
    return {name: function for name, function in found.items() if name not in _OTHERS}


def call(function: Callable[..., Any], tree: xr.DataTree, /, **changes: Any) -> Any:
    """Call a function with what its parameters without defaults need."""
    needed = {
        name: changes[name] if name in changes else _ARGUMENTS[name](tree)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is inspect.Parameter.empty and parameter.kind != parameter.VAR_KEYWORD
    }
    value = function(**{**needed, **changes})
    return list(value) if inspect.isgenerator(value) else value


def refusal(function: Callable[..., Any], tree: xr.DataTree, /, **changes: Any) -> str | None:
    """Return the line by which a function refuses its arguments; None if it accepts them.

    Raises
    ------
    Exception
        Whatever else the function raises, with the function's name.
    """
    try:
        call(function, tree, **changes)
    except BioaeError as error:
        return str(error)
    except Exception as error:
        error.add_note(f"in {function.__name__}, {changes}")
        raise
    return None
