"""The border of the analysis: a result is opened and checked once, and its layers are read."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from inspect import signature
from pathlib import Path
from traceback import walk_tb
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, cast, overload

import xarray as xr

from bioae.checks import instance
from bioae.errors import BioaeError, ResultError
from bioae.hdf5 import check_hdf5
from bioae.inputs import as_path
from bioae.simulation.results.root import SCHEMA_VERSION as SCHEMA_VERSION
from bioae.simulation.results.root import check_tree
from bioae.simulation.results.schema import CAN_FIRE, REPEAT, check_result

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

#: The suffixes of tables of spikes.
TABLES = (".csv", ".tsv")

#: A result, or the path of its file.
Source: TypeAlias = xr.DataTree | Path | str


class _OfLayer(Protocol[P, R_co]):
    def __call__(
        self, tree: xr.DataTree, layer: str, *args: P.args, **kwargs: P.kwargs
    ) -> R_co: ...


class LayerMeasure(Protocol[P, R]):
    """A measure of one layer of a result, or without a layer of all that can fire, by name."""

    # They overlap for mypy, as options could be text.
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, tree: Source, layer: str, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...
    @overload
    def __call__(self, tree: Source, *args: P.args, **kwargs: P.kwargs) -> dict[str, R]: ...


def open_result(path: Path | str, *, lazy: bool = False) -> xr.DataTree:
    """Read a result from a file, and check its structure.

    Parameters
    ----------
    path
        A netCDF file written by a simulation.
    lazy
        Whether to leave spikes and images on disk until they are used, for results larger than
        memory: measures read spikes in blocks. The file stays open until the tree is closed
        (``with open_result(path, lazy=True) as tree``).

    Raises
    ------
    ResultError
        If there is no such file, it is truncated or not a result, or it has another version; or if
        it refers to other files.
    """
    path = as_path(path, ResultError, "result")
    if not path.is_file():
        raise ResultError(
            "this is a folder" if path.is_dir() else "there is no such file", where=str(path),
            expected="the result of a simulation",
        )  # fmt: skip
    with ExitStack() as opened:
        with readable(path, anywhere=True), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of attributes that are none of ours
            check_hdf5(path)
            # Nothing is a date.
            tree = xr.open_datatree(path, engine="h5netcdf", decode_times=False)
            opened.callback(tree.close)
        check_result(tree, where=str(path))
        if lazy:
            opened.pop_all()
            return tree
        with readable(path, anywhere=True):
            tree = tree.load()
        for node in tree.subtree:
            if "spike_time_ms" in node:  # written again as whole steps, changed times would be lost
                node.variables["spike_time_ms"].encoding.clear()
        return tree


@contextmanager
def readable(path: Path | str, *, anywhere: bool = False) -> Iterator[None]:
    """Turn errors of reading a file into a `ResultError` that calls it damaged.

    `anywhere`: whether all errors count, and not only those within the libraries that read values.
    """
    try:
        yield
    except (BioaeError, MemoryError):
        raise
    except Exception as error:
        modules = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
        if not anywhere and not {"h5netcdf", "h5py"} & {name.split(".")[0] for name in modules}:
            raise
        table = str(path).lower().endswith(TABLES)
        other = "Call bioae.analysis.read_spikes" if table else "Simulate again"
        raise ResultError(
            "the file cannot be read as netCDF4; it is truncated or of another kind",
            where=str(path), expected="the result of a simulation", found=str(error),
            hint=f"{other}, or name another file",
        ) from error  # fmt: skip


def of_result(
    measure: Callable[Concatenate[xr.DataTree, P], R],
) -> Callable[Concatenate[Source, P], R]:
    """Let a measure take a result or the path of one; reject everything else once, at the border.

    Every measure raises a `ResultError` for another object, a result that has lost a dimension, a
    result with repeats (`bioae.analysis.presentations`), and a layer that the result has not.
    """
    first = next(iter(signature(measure).parameters))

    @wraps(measure)
    def measured(*args: Any, **kwargs: Any) -> Any:
        if args:
            args = result_of(args[0]), *args[1:]
        elif first in kwargs:
            args = (result_of(kwargs.pop(first)),)
        return measure(*args, **kwargs)

    return cast(Callable[Concatenate[Source, P], R], measured)


def of_layer(measure: _OfLayer[P, R]) -> LayerMeasure[P, R]:
    """Let a measure of a layer take what `of_result` does, and no layer for all that can fire."""
    each: Any = measure

    @of_result
    @wraps(measure)
    def measured(tree: xr.DataTree, *args: Any, **kwargs: Any) -> Any:
        if args or "layer" in kwargs:
            return each(tree, *args, **kwargs)
        return {name: each(tree, name, **kwargs) for name in firing_layers(tree)}

    return cast(LayerMeasure[P, R], measured)


def result_of(source: Source) -> xr.DataTree:
    """Return a result, read from a file if this is a path, in which presentations are examples."""
    tree = structured(source)
    if has_repeats(tree):
        raise ResultError(
            "the result has several repeats of each example", where=REPEAT,
            expected="a result in which each presentation is an example",
            hint="Call bioae.analysis.presentations(result) first, and select repeats afterwards",
        )  # fmt: skip
    return tree


def structured(source: Source) -> xr.DataTree:
    """Return a result with its examples, or read it from a file; it may have repeats."""
    tree = open_result(source) if isinstance(source, str | Path) else source
    instance(tree, "the result", xr.DataTree, error=ResultError)
    check_tree(tree, "steps", "dt_ms")
    if "example" not in tree.dims:
        raise ResultError(
            "the result has no dimension 'example'",
            expected="a result with its examples, even if there is one",
            hint="Select one with isel(example=[0]), and average the answer, not the result",
        )
    return tree


def has_repeats(tree: xr.DataTree) -> bool:
    """Return whether a result has the dimension `repeat`, or had it before a selection."""
    layers = tree.children["layers"].children.values()
    return any("spike_repeat" in layer.variables for layer in layers)


@of_result
def layer_names(tree: xr.DataTree) -> list[str]:
    """Return the names of the layers, from the input's side."""
    return list(tree.children["layers"].children)


@of_result
def firing_layers(tree: xr.DataTree) -> list[str]:
    """Return the names of the layers that can fire, from the input's side.

    A layer whose neurons have no threshold, such as a read-out whose potential the decoder reads,
    never fires, and statistics of firing leave it out. Files from before bioae 0.3 do not
    distinguish it from a silent layer: all their layers are in the list.
    """
    left_out = readout_layers(tree)
    return [name for name in layer_names(tree) if name not in left_out]


def readout_layers(tree: xr.DataTree) -> list[str]:
    """Return the names of the layers that cannot fire, whose potential is read."""
    layers = tree.children["layers"].children
    return [name for name, layer in layers.items() if not layer.attrs.get(CAN_FIRE, True)]


def readout_note(layers: Sequence[str]) -> str:
    """Return the sentence on layers that cannot fire, for readers of tables without them."""
    *others, last = layers
    if others:
        return f"{', '.join(others)} and {last} do not fire: their potential is read."
    return f"{last} does not fire: its potential is read."


def check_fires(tree: xr.DataTree, layer: str) -> None:
    """Raise a `ResultError` if the neurons of a layer have no threshold."""
    layer_data(tree, layer)
    if layer in readout_layers(tree):
        raise ResultError(
            f"layer {layer!r} does not fire: its neurons have no threshold",
            expected=" or ".join(map(repr, firing_layers(tree))) or None,
            hint="Its potential is read: record it with bioae simulate --record",
        )


@of_layer
def layer_data(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """Return the variables of one layer, and the coordinate `example`."""
    names = layer_names(tree)
    instance(layer, "the layer", str, error=ResultError)
    if layer not in names:
        raise ResultError(
            "there is no such layer", expected=" or ".join(map(repr, names)), found=repr(layer)
        )
    data = tree["layers"].children[layer].to_dataset()
    check_complete(data, layer)
    return data


def check_complete(data: xr.Dataset, layer: str) -> None:
    """Raise a `ResultError` if a layer has lost its dimension of neurons or spikes."""
    for variable, dimension in (("spike_count", "neuron"), ("spike_time_ms", "spike")):
        if variable in data and dimension not in data[variable].dims:
            raise ResultError(
                f"layer {layer!r} has no dimension {dimension!r}",
                expected="a result with all its neurons and spikes",
                hint="Select from the answer, not from the result",
            )


def chosen_layers(tree: xr.DataTree, layers: str | Sequence[str] | None) -> list[str]:
    """Return the names of one layer or of several, by default of all that can fire."""
    if layers is not None:
        instance(layers, "layers", (str, list, tuple), error=ResultError)
        names = [layers] if isinstance(layers, str) else list(layers)
        for name in names:
            layer_data(tree, name)
    else:
        names = firing_layers(tree)
    if not names:
        raise ResultError("there is no layer", where="layers", expected="one that can fire")
    return names


def with_layers(tree: xr.DataTree, layers: str | Sequence[str]) -> xr.DataTree:
    """Return a result with some of its layers, in its own order."""
    names, chosen = chosen_layers(tree, layers), tree.copy()
    for name in {*layer_names(tree)} - {*names}:
        del chosen["layers"][name]
    return chosen


def layers_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the variables of all layers by name, from the input's side."""
    return {name: layer_data(tree, name) for name in layer_names(tree)}


def steps(tree: xr.DataTree) -> int:
    """Return the number of steps of a presentation."""
    return int(tree.attrs["steps"])


def duration_s(tree: xr.DataTree) -> float:
    """Return the length of a presentation in seconds."""
    return steps(tree) * float(tree.attrs["dt_ms"]) / 1000


def first_example(tree: xr.DataTree) -> int:
    """Return the number of the first example; raise a `ResultError` if there is none."""
    known = tree["example"].to_numpy()
    if not known.size:
        raise ResultError("there are no examples", expected="at least one")
    return int(known[0])
