"""Results as Neurodata Without Borders (NWB) files, the format of archives such as DANDI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.exports.optional import needs
from bioae.analysis.results.layers import duration_s, layer_data, layer_names
from bioae.analysis.results.spikes import blocks, trains
from bioae.files import atomic_output, check_output

__all__ = ["to_nwb"]


def to_nwb(
    tree: xr.DataTree,
    path: Path | str,
    *,
    layers: Sequence[str] | None = None,
    start: datetime | None = None,
    overwrite: bool = False,
) -> None:
    """Write spikes, presentations and neurons as an NWB file.

    NWB has one clock: presentations follow one another without a gap, in the order of the result,
    and a spike of presentation k at time t has the time k T + t in seconds. The table of trials has
    the times of each example and its label. The table of units has a row for each neuron of each
    layer.

    Parameters
    ----------
    layers
        Names of layers; by default all.
    start
        The start of the session, which NWB requires; by default the start of 1970, since a
        simulation has no such time.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    ResultError
        If there is no such layer.
    InputError
        If pynwb is not installed.
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    pynwb = needs("pynwb", "'bioae[nwb]'")
    check_output(path, overwrite=overwrite, kind="file")
    names = layer_names(tree) if layers is None else list(layers)
    when = datetime(1970, 1, 1, tzinfo=UTC) if start is None else start
    file = pynwb.NWBFile(
        session_description="simulated spiking network",
        identifier=str(tree.attrs["network_sha256"]),
        session_start_time=when,
        source_script=_source(tree),
        source_script_file_name="bioae",
        notes=str(tree.attrs["neuron_model"]),
    )
    _add_trials(file, tree)
    _add_units(file, tree, names)
    with atomic_output(path, overwrite=overwrite) as temporary:
        # pynwb asks for the suffix .nwb, which the temporary name does not have.
        inner = temporary.with_suffix(".nwb")
        try:
            with pynwb.NWBHDF5IO(str(inner), "w") as out:
                out.write(file)
            inner.rename(temporary)
        finally:
            inner.unlink(missing_ok=True)


def _add_trials(file: Any, tree: xr.DataTree) -> None:
    root, length = tree.to_dataset(), duration_s(tree)
    file.add_trial_column("example", "the index of the image in its data set")
    labels = root["label"].to_numpy() if "label" in root else None
    if labels is not None:
        file.add_trial_column("label", "the class of the image")
    for k, example in enumerate(root["example"].to_numpy()):
        known = {} if labels is None else {"label": int(labels[k])}
        file.add_trial(
            start_time=k * length, stop_time=(k + 1) * length, example=int(example), **known
        )


def _add_units(file: Any, tree: xr.DataTree, names: Sequence[str]) -> None:
    file.add_unit_column("layer", "the layer of the neuron")
    file.add_unit_column("neuron", "the index of the neuron in its layer")
    end = tree.sizes["example"] * duration_s(tree)
    for name in names:
        for neuron, times in _times(tree, name):
            file.add_unit(spike_times=times, obs_intervals=[[0.0, end]], layer=name, neuron=neuron)


def _times(tree: xr.DataTree, layer: str) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield each neuron and its spikes in seconds, with presentations in sequence."""
    neurons = layer_data(tree, layer).sizes["neuron"]
    dt_s, found = float(tree.attrs["dt_ms"]) / 1000, []
    for block in blocks(tree, layer):
        bounds, position, step = trains(block)
        at = ((block.start + position) * block.steps + step) * dt_s
        found.append(np.split(at, bounds[1:-1]))
    for neuron in range(neurons):
        yield neuron, np.concatenate([parts[neuron] for parts in found])


def _source(tree: xr.DataTree) -> str:
    versions = ("bioae", "brian2", "numpy")
    known = [f"{name} {tree.attrs[f'{name}_version']}" for name in versions]
    return f"target {tree.attrs['target']}, seed {tree.attrs['seed']}, {', '.join(known)}"
