"""What was measured as CSV files, in full precision; what is undefined is an empty cell."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

import xarray as xr

from bioae.analysis.measures.definitions import DEFINITIONS
from bioae.analysis.measures.measures import Measures
from bioae.analysis.results.layers import layers_of

__all__ = ["table_files"]

Row = dict[str, Any]


def table_files(measures: Measures) -> dict[str, str]:
    """Return the texts of the files by name.

    Returns
    -------
    dict
        ``layers.csv``, a row a result and layer; ``neurons.csv``, a row a result, layer and neuron;
        ``cortex.csv``, a row a result, layer and measured range; and, of several results,
        ``differences.csv``, a row a comparison, layer and statistic.
    """
    tables = {
        "layers": _layers,
        "neurons": _neurons,
        "cortex": _cortex,
        "differences": _differences,
    }
    found = {f"{name}.csv": list(rows(measures)) for name, rows in tables.items()}
    return {name: _text(rows) for name, rows in found.items() if rows}


def _layers(measures: Measures) -> Iterator[Row]:
    for name, layer, data in _each_layer(measures):
        yield {"result": name, "layer": layer, **{key: data[key].item() for key in DEFINITIONS}}


def _neurons(measures: Measures) -> Iterator[Row]:
    for name, layer, data in _each_layer(measures):
        of_neurons = {
            str(key): array.to_numpy().tolist()
            for key, array in data.variables.items()
            if array.dims == ("neuron",)
        }
        places = {key: of_neurons.pop(key, None) for key in ("channel", "y", "x")}
        columns = {key: values for key, values in places.items() if values} | of_neurons
        for neuron in range(data.sizes["neuron"]):
            values = {key: column[neuron] for key, column in columns.items()}
            yield {"result": name, "layer": layer, "neuron": neuron, **values}


def _cortex(measures: Measures) -> Iterator[Row]:
    for name, layers in measures.verdicts.items():
        for layer, found in layers.items():
            for each in found:
                reference = each.reference
                yield {
                    "result": name,
                    "layer": layer,
                    "statistic": reference.statistic,
                    "value": each.value,
                    "low": reference.low,
                    "high": reference.high,
                    "units": reference.unit,
                    "verdict": each.outcome,
                    "reason": each.reason,
                    "animal": reference.animal,
                    "area": reference.area,
                    "state": reference.state,
                    "source": reference.citation,
                    "verified": reference.verified,
                }


def _differences(measures: Measures) -> Iterator[Row]:
    for (a, b), data in measures.effects.items():
        if isinstance(data, str):
            continue
        for layer in data["layer"].to_numpy():
            for name in data["statistic"].to_numpy():
                row = data.sel(layer=layer, statistic=name).data_vars.items()
                values = {str(key): array.item() for key, array in row}
                yield {"first": a, "second": b, "layer": layer, "statistic": name, **values}


def _each_layer(measures: Measures) -> Iterator[tuple[str, str, xr.Dataset]]:
    for name, tree in measures.statistics.items():
        for layer, data in layers_of(tree).items():
            yield name, layer, data


def _text(rows: list[Row]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
