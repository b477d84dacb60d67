"""Results as pandas' tables: one row a spike, a neuron, a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bioae.analysis.exports.optional import needs
from bioae.analysis.firing.counts import is_alive, is_bursting, spike_count
from bioae.analysis.firing.rates import firing_rate
from bioae.analysis.measures.overview import summary
from bioae.analysis.results.layers import layer_data, layer_names
from bioae.errors import ResultError

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped, unused-ignore]

__all__ = ["layer_frame", "neuron_frame", "spike_frame", "to_pandas"]


def to_pandas(
    tree: xr.DataTree,
    layers: Sequence[str] | None = None,
    *,
    statistics: xr.Dataset | None = None,
) -> dict[str, pd.DataFrame]:
    """Return a result as three tables, by name.

    Parameters
    ----------
    layers
        Which; by default all.
    statistics
        As in `neuron_frame`, of one layer.

    Returns
    -------
    dict
        ``"spikes"`` (`spike_frame`), ``"neurons"`` (`neuron_frame`) and ``"layers"``
        (`layer_frame`).

    Raises
    ------
    ResultError
        If there is no such layer, or `statistics` are given for several.
    InputError
        If pandas is not installed.
    """
    pandas = needs("pandas", "pandas")
    names = layer_names(tree) if layers is None else list(layers)
    if statistics is not None and len(names) != 1:
        raise ResultError(
            "statistics are those of the neurons of one layer",
            where="statistics",
            expected="one layer",
            found=", ".join(names),
        )
    neurons = [neuron_frame(tree, name, statistics=statistics) for name in names]
    spikes = [spike_frame(tree, name) for name in names]
    return {
        "spikes": pandas.concat(spikes, ignore_index=True),
        "neurons": pandas.concat(neurons, ignore_index=True),
        "layers": layer_frame(tree).loc[names].reset_index(),
    }


def spike_frame(tree: xr.DataTree, layer: str) -> pd.DataFrame:
    """Return a layer's spikes, a row each: layer, example, neuron and time_ms.

    They are in the order of the result: by example, time and neuron. A table of n spikes takes
    about 30 n bytes.
    """
    pandas = needs("pandas", "pandas")
    data = layer_data(tree, layer)
    # Spikes of examples that were not selected stay in the result's arrays.
    known = np.isin(data["spike_example"].to_numpy(), data["example"].to_numpy())
    columns = {
        "example": data["spike_example"],
        "neuron": data["spike_neuron"],
        "time_ms": data["spike_time_ms"],
    }
    frame = pandas.DataFrame({name: array.to_numpy()[known] for name, array in columns.items()})
    return _in_layer(frame, tree, layer)


def neuron_frame(
    tree: xr.DataTree, layer: str, *, statistics: xr.Dataset | None = None
) -> pd.DataFrame:
    """Return a layer's neurons, a row each: where they are, and what they do.

    Parameters
    ----------
    statistics
        Further columns, (neuron,), by the names of the variables, such as from
        `bioae.analysis.comparison.effects.neuron_values`. What is undefined is NaN.
    """
    pandas = needs("pandas", "pandas")
    data = layer_data(tree, layer)
    columns = {"neuron": np.arange(data.sizes["neuron"])}
    places = [name for name in ("channel", "y", "x") if name in data.coords]
    columns |= {name: data[name].to_numpy() for name in places}
    measures = {
        "spikes": spike_count(tree, layer, dims="example"),
        "firing_rate_hz": firing_rate(tree, layer),
        "alive": is_alive(tree, layer),
        "bursting": is_bursting(tree, layer),
    }
    columns |= {name: array.to_numpy() for name, array in measures.items()}
    for name, array in ({} if statistics is None else statistics.data_vars).items():
        if name != "firing_rate":  # it is there, with its unit
            columns[str(name)] = array.to_numpy()
    # They stay integers beside a layer whose neurons have no place.
    frame = pandas.DataFrame(columns).astype(dict.fromkeys(places, "Int32"))
    return _in_layer(frame, tree, layer)


def layer_frame(tree: xr.DataTree) -> pd.DataFrame:
    """Return the layers, a row each, with the measures of `bioae.analysis.summary`."""
    needs("pandas", "pandas")
    return summary(tree).to_dataframe()


def _in_layer(frame: pd.DataFrame, tree: xr.DataTree, layer: str) -> pd.DataFrame:
    pandas = needs("pandas", "pandas")
    # A category takes a byte a row, and a text a pointer.
    names = layer_names(tree)
    codes = np.full(len(frame), names.index(layer), np.min_scalar_type(-len(names)))
    frame.insert(0, "layer", pandas.Categorical.from_codes(codes, names))
    return frame
