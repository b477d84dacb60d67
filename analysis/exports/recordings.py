"""Spikes as recordings: Neo, the input of Elephant, and NWB, the format of archives such as DANDI.

Their libraries are optional and imported on use.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.results.layers import (
    check_fires,
    chosen_layers,
    layer_data,
    of_layer,
    of_result,
    steps,
)
from bioae.analysis.results.outputs import is_recording, neurons_of
from bioae.analysis.results.repeats import presentation_numbers
from bioae.analysis.results.spikes import blocks, trains
from bioae.checks import whole
from bioae.errors import ResultError, shortened
from bioae.extras import needs
from bioae.files import atomic_output, check_output


@of_layer
def to_neo(
    tree: xr.DataTree, layer: str, *, examples: Sequence[int] | None = None, silent: bool = True
) -> Any:
    """Return the spikes of a layer as a `neo.Block`: segments are examples, trains are neurons.

    Times are in milliseconds since the start of the presentation at the layer, which is a train's
    `t_start`; its `t_stop` is the presentation's end. Each train is annotated with `layer` and
    `neuron`, and with the neuron's `channel`, `y` and `x` if it has a position; each segment with
    `example`, and with `label`, `stimulus` and `repeat` where known. There is one spike train per
    neuron and example: choose a few `examples` of a large result.

    Parameters
    ----------
    examples
        Values of the coordinate `example`, each once; by default all.
    silent
        Whether neurons that do not spike in an example have an empty train in its segment.

    Raises
    ------
    LibraryError
        If Neo is not installed.
    """
    neo = needs("neo", "neo")
    check_fires(tree, layer)
    chosen = tree if examples is None else _selected(tree, examples)
    data, numbers = layer_data(chosen, layer), presentation_numbers(chosen)
    places = [
        {name: int(data[name][neuron]) for name in ("channel", "y", "x") if name in data.coords}
        for neuron in range(data.sizes["neuron"])
    ]
    # Neo annotates with plain numbers and text.
    plain = {str(k): v.item() if isinstance(v, np.generic) else v for k, v in tree.attrs.items()}
    result = neo.Block(name=layer, **{k: v for k, v in plain.items() if np.ndim(v) == 0})
    for block in blocks(chosen, layer):
        bounds = np.searchsorted(block.position, np.arange(block.examples + 1))
        for k, (begin, end) in enumerate(pairwise(bounds)):
            shown = {name: int(array[block.start + k]) for name, array in numbers.items()}
            segment = neo.Segment(name=f"example {shown['example']}", **shown)
            own = slice(begin, end)
            made = _trains(neo, tree, layer, (block.neuron[own], block.step[own]), places)
            segment.spiketrains.extend([train for train in made if silent or train.size])
            result.segments.append(segment)
    return result


def _selected(tree: xr.DataTree, examples: Sequence[int]) -> xr.DataTree:
    known = tree["example"].to_numpy().tolist()
    try:
        numbers = [whole(each, "examples", error=ResultError) for each in examples]
    except TypeError:  # it is no list
        numbers = []
    if not numbers or len(set(numbers)) < len(numbers) or not set(numbers) <= set(known):
        raise ResultError(
            "examples do not fit", where="examples",
            expected=f"a list of some of the {len(known)}, each once, such as {known[:1]}",
            found=shortened(repr(examples)),
        )  # fmt: skip
    return tree.sel(example=numbers)


def _trains(
    neo: Any,
    tree: xr.DataTree,
    layer: str,
    spikes: tuple[NDArray[np.int64], NDArray[np.int64]],
    places: Sequence[dict[str, int]],
) -> Iterator[Any]:
    """Yield a train for each neuron, from the neurons and steps of one example's spikes."""
    dt_ms, milliseconds = float(tree.attrs["dt_ms"]), needs("quantities", "neo").ms
    neuron, step = spikes
    order = np.argsort(neuron, kind="stable")  # times stay in order
    times = step[order] * dt_ms
    bounds = np.searchsorted(neuron[order], np.arange(len(places) + 1))
    for number, place in enumerate(places):
        yield neo.SpikeTrain(
            times[bounds[number] : bounds[number + 1]],
            units="ms",
            t_start=0.0,
            t_stop=steps(tree) * dt_ms,
            sampling_rate=1 / dt_ms / milliseconds,
            name=f"{layer} {number}",
            layer=layer,
            neuron=number,
            **place,
        )


@of_result
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
    and a spike of presentation k at time t has the time k T + t in seconds. Each layer's t begins
    with its own window, a step after that of the layer before (`docs/timing.md`). The table of
    trials has the times of each example, and its label, stimulus and repeat where known. The table
    of units has a row for each neuron of each layer. The identifier is a hash of the arguments, and
    of the result's attributes, input and output.

    Parameters
    ----------
    layers
        Names of layers; by default all that can fire.
    start
        The start of the session, which NWB requires; by default the start of 1970, since a
        simulation has no such time.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    LibraryError
        If pynwb is not installed.
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    pynwb = needs("pynwb", "nwb")
    check_output(path, overwrite=overwrite, kind="file")
    names = chosen_layers(tree, layers)
    for name in names:
        check_fires(tree, name)
    when = datetime(1970, 1, 1, tzinfo=UTC) if start is None else start
    sources = ("target", "seed", "bioae_version", "brian2_version", "numpy_version")
    known = (f"{n.removesuffix('_version')} {tree.attrs[n]}" for n in sources if n in tree.attrs)
    file = pynwb.NWBFile(
        session_description="recorded spikes"
        if is_recording(tree)
        else "simulated spiking network",
        identifier=_identifier(tree, names, when),
        session_start_time=when,
        source_script=", ".join(known),
        source_script_file_name="bioae",
        notes=neurons_of(tree),
    )
    dt_s = float(tree.attrs["dt_ms"]) / 1000
    # Rounded as the times of spikes are: a spike at step 0 is not before its presentation.
    bounds = (np.arange(tree.sizes["example"] + 1) * steps(tree) * dt_s).tolist()
    numbers = presentation_numbers(tree)
    for name, array in numbers.items():
        file.add_trial_column(name, str(array.attrs.get("long_name", name)))
    columns = (array.to_numpy().tolist() for array in numbers.values())
    for (begin, stop), *row in zip(pairwise(bounds), *columns, strict=True):
        file.add_trial(start_time=begin, stop_time=stop, **dict(zip(numbers, row, strict=True)))
    file.add_unit_column("layer", "the layer of the neuron")
    file.add_unit_column("neuron", "the index of the neuron in its layer")
    observed = {"obs_intervals": [[0.0, bounds[-1]]]}
    for name in names:
        for neuron, times in enumerate(_times(tree, name, dt_s)):
            file.add_unit(spike_times=times, layer=name, neuron=neuron, **observed)
    # pynwb asks for the suffix .nwb.
    memory = h5py.File("result.nwb", "w", driver="core", backing_store=False)
    with memory, pynwb.NWBHDF5IO("result.nwb", "w", file=memory) as out:
        out.write(file)
        memory.flush()
        content = memory.id.get_file_image()
    with atomic_output(path, overwrite=overwrite) as temporary:
        # On a full disk the HDF5 library would crash the process.
        temporary.write_bytes(content)


def _identifier(tree: xr.DataTree, names: Sequence[str], start: datetime) -> str:
    """Return a hash of everything in a file: NWB requires a unique identifier."""
    root = tree.to_dataset()
    parts = [f"{name}={value}" for name, value in sorted(tree.attrs.items())]
    digest = hashlib.sha256(json.dumps([*parts, *names, start.isoformat()]).encode())
    for name, variable in sorted(root.variables.items()):
        values = np.ascontiguousarray(variable.to_numpy())
        digest.update(f"{name}{values.dtype}{values.shape}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _times(tree: xr.DataTree, layer: str, dt_s: float) -> list[NDArray[np.float64]]:
    """Return the spikes of each neuron in seconds, with presentations in sequence."""
    pieces = []
    for block in blocks(tree, layer):
        bounds, position, step = trains(block)
        at = ((block.start + position) * block.steps + step) * dt_s
        pieces.append(np.split(at, bounds[1:-1]))
    return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]
