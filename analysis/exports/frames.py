"""Results as pandas tables and CSV files: one row per spike, neuron or layer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped, unused-ignore]
import xarray as xr

from bioae.analysis.firing.rates import firing_rate, is_alive, is_bursting, spike_count
from bioae.analysis.measures.statistics import summary
from bioae.analysis.results.layers import (
    check_fires,
    chosen_layers,
    layer_data,
    layer_names,
    of_layer,
    of_result,
)
from bioae.analysis.results.repeats import presentation_numbers
from bioae.errors import OutputError
from bioae.files import atomic_output
from bioae.inputs import as_path


@of_result
def to_pandas(
    tree: xr.DataTree, layers: str | Sequence[str] | None = None
) -> dict[str, pd.DataFrame]:
    """Return a result as four tables, by name.

    Parameters
    ----------
    layers
        Names of layers; by default all that can fire.

    Returns
    -------
    dict
        ``"spikes"`` (`spike_frame`), ``"neurons"`` (`neuron_frame`), ``"layers"`` (`summary`),
        and ``"examples"``: example, and label, stimulus and repeat where known.

    Raises
    ------
    ResultError
        If there is no such layer, or it cannot fire.
    """
    names = chosen_layers(tree, layers)
    neurons = [neuron_frame(tree, name) for name in names]
    spikes = [spike_frame(tree, name) for name in names]
    return {
        "spikes": pd.concat(spikes, ignore_index=True),
        "neurons": pd.concat(neurons, ignore_index=True),
        "layers": summary(tree).to_dataframe().loc[names].reset_index(),
        "examples": pd.DataFrame(
            {name: array.to_numpy() for name, array in presentation_numbers(tree).items()}
        ),
    }


@of_result
def to_csv(
    tree: xr.DataTree,
    path: Path | str,
    *,
    layers: Sequence[str] | None = None,
    overwrite: bool = False,
) -> None:
    """Write four CSV files: ``spikes.csv``, ``neurons.csv``, ``layers.csv`` and ``examples.csv``.

    They are the tables of `to_pandas`, in full precision; undefined cells are empty. Files are
    moved into place once all are complete. Other files in the folder stay.

    Parameters
    ----------
    path
        The folder.
    layers
        Names of layers; by default all that can fire.
    overwrite
        Whether to replace files of an earlier export.

    Raises
    ------
    OutputError
        If a file exists and `overwrite` is false, or it cannot be written.
    """
    folder = as_path(path, OutputError, "output")
    tables = to_pandas(tree, layers)
    with ExitStack() as stack:
        for name, table in tables.items():
            output = atomic_output(folder / f"{name}.csv", overwrite=overwrite)
            table.to_csv(stack.enter_context(output), index=False)


@of_layer
def spike_frame(tree: xr.DataTree, layer: str) -> pd.DataFrame:
    """Return a layer's spikes, one per row: layer, example, neuron and time_ms.

    The order is that of the result: by example, time and neuron. A table of n spikes takes about
    30 n bytes.
    """
    data = layer_data(tree, layer)
    # Spikes of examples that were not selected stay in the result's arrays.
    selected = np.isin(data["spike_example"].to_numpy(), data["example"].to_numpy())
    columns = {
        name: data[f"spike_{name}"].to_numpy()[selected]
        for name in ("example", "neuron", "time_ms")
    }
    return _frame(columns, tree, layer)


@of_layer
def neuron_frame(tree: xr.DataTree, layer: str) -> pd.DataFrame:
    """Return a layer's neurons, one per row: position, spikes, rate, alive and bursting."""
    check_fires(tree, layer)
    data = layer_data(tree, layer)
    columns = {"neuron": np.arange(data.sizes["neuron"])}
    position = [name for name in ("channel", "y", "x") if name in data.coords]
    columns |= {name: data[name].to_numpy() for name in position}
    measures = {
        "spikes": spike_count(tree, layer, dims="example"),
        "firing_rate_hz": firing_rate(tree, layer),
        "alive": is_alive(tree, layer),
        "bursting": is_bursting(tree, layer),
    }
    columns |= {name: array.to_numpy() for name, array in measures.items()}
    # Positions stay integers next to a layer whose neurons have none.
    return _frame(columns, tree, layer).astype(dict.fromkeys(position, "Int32"))


def _frame(columns: dict[str, np.ndarray], tree: xr.DataTree, layer: str) -> pd.DataFrame:
    # A category takes a byte per row, a text a pointer.
    frame = pd.DataFrame(columns)
    category = pd.CategoricalDtype(layer_names(tree))
    frame.insert(0, "layer", pd.Series(layer, frame.index, category))
    return frame
