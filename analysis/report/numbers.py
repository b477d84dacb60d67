"""Measures as one object of plain values: ``statistics.json``.

Undefined values are null, never 0, and the reasons are under ``undefined``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bioae.analysis.firing.rates import BURSTING_THRESHOLD
from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.report.measures import Measures
from bioae.analysis.results.layers import layers_of

Record = dict[str, Any]

_ERRORS = {
    "mse": "mean_squared_error",
    "sse_per_image": "sum_squared_error",
    "sse_per_image_std": "sum_squared_error_std",
    "mae": "mean_absolute_error",
}
_CORTEX = (
    "statistic", "value", "low", "high", "units", "verdict", "reason", "verified", "source",
)  # fmt: skip


def to_numbers(measures: Measures) -> Record:
    """Return the numbers of all results by name, and those of the first also at the top level.

    Returns ``layers`` and ``reconstruction`` (null of another task) of the first result; the same,
    ``undefined``, ``cortex``, ``attributes`` and the layers that cannot fire (``not_firing``) of
    each under ``results.NAME``, where the scores of other tasks are in ``scores`` and
    ``confusion``; ``comparisons``; ``definitions``.
    """
    results = {name: _result(measures, name) for name in measures.statistics}
    first = next(iter(results.values()))
    return {
        "layers": first["layers"],
        "reconstruction": first.get("reconstruction"),
        "results": results,
        "bursting_threshold": BURSTING_THRESHOLD,
        "comparisons": [_comparison(measures, *pair) for pair in measures.spikes],
        "definitions": {
            name: {"label": each.label, "units": each.units, "definition": each.text}
            for name, each in DEFINITIONS.items()
        },
    }


def _result(measures: Measures, name: str) -> Record:
    layers = layers_of(measures.statistics[name])
    numbers = {layer: {key: data[key] for key in DEFINITIONS} for layer, data in layers.items()}
    return {
        "attributes": measures.attributes[name],
        **_outcome(measures, name),
        "layers": {
            layer: {key: _plain(value.item()) for key, value in row.items()}
            for layer, row in numbers.items()
        },
        "not_firing": list(measures.readouts[name]),
        "undefined": {
            layer: {k: v.attrs["undefined"] for k, v in row.items() if "undefined" in v.attrs}
            for layer, row in numbers.items()
        },
        "cortex": {
            layer: [_plain_values(each.row(), _CORTEX) for each in verdicts]
            for layer, verdicts in measures.verdicts[name].items()
        },
    }


def _outcome(measures: Measures, name: str) -> Record:
    """Return the errors of a reconstruction, or the scores of another task."""
    if name in measures.reconstruction:
        return {"reconstruction": _reconstruction(measures.reconstruction[name])}
    found: Record = {}
    if name in measures.scores:
        rows = measures.scores[name].drop_vars("label").to_dataframe().to_dict("index")
        found["scores"] = {str(score): _plain_values(row, row) for score, row in rows.items()}
    if name in measures.confusion:
        found["confusion"] = measures.confusion[name]["count"].to_numpy().tolist()
    return found


def _reconstruction(errors: xr.Dataset) -> Record:
    rows = {
        str(each): {key: _plain(errors[k].sel(predictor=each).item()) for key, k in _ERRORS.items()}
        for each in errors["predictor"].to_numpy()
    }
    return {**rows.pop("network"), "baselines": rows}


def _comparison(measures: Measures, a: str, b: str) -> Record:
    spikes, effects = measures.spikes[a, b], measures.effects[a, b]
    return {
        "a": a,
        "b": b,
        **({"refused": spikes} if isinstance(spikes, str) else {"layers": _by_layer(spikes)}),
        "neurons": {"refused": effects} if isinstance(effects, str) else _by_layer(effects),
    }


def _by_layer(data: xr.Dataset) -> Record:
    """Return the variables as plain values, by layer and, if there are several, by statistic."""
    return {
        str(layer): {
            str(name): _plain(array.item())
            if not array.dims
            else {str(label): _plain(value) for label, value in array.to_series().items()}
            for name, array in data.sel(layer=layer).data_vars.items()
        }
        for layer in data["layer"].to_numpy()
    }


def _plain_values(row: Mapping[str, Any], keys: Any) -> Record:
    return {key: _plain(row[key]) for key in keys}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
