"""Input of figures: results by name, or measures, which are computed where results are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

import xarray as xr

from bioae.analysis.results.layers import Source, chosen_layers, layer_data, result_of
from bioae.checks import instance
from bioae.errors import ResultError, shortened

T = TypeVar("T", xr.DataArray, xr.Dataset)
U = TypeVar("U")

#: A result or the path of its file, or several by name.
Results: TypeAlias = Source | Mapping[str, Source]
#: The same, or a measure in place of a result, if it is one of layers by their names.
Measured: TypeAlias = Source | Mapping[str, Source | U]
MeasuredLayers: TypeAlias = Source | Mapping[str, Source | U | Mapping[str, U]]
#: The names of one layer or of several; None stands for all that can fire.
Layers: TypeAlias = str | Sequence[str] | None


def results_of(results: Results, name: str) -> dict[str, xr.DataTree]:
    """Return results by name, read and checked; the name of a single one is empty."""
    return {label: _result_of(each, label) for label, each in by_name(results, name).items()}


def by_name(given: Any, name: str) -> dict[str, Any]:
    """Return what is given by name, with results read and checked."""
    if _is_source(given):
        given = {"": given}
    needed(given, name, "Give a result, the path of one, or several by name: {'mine': result}")
    return {
        str(label): _result_of(each, str(label)) if _is_source(each) else each
        for label, each in given.items()
    }


def _result_of(source: Any, label: str) -> xr.DataTree:
    tree = result_of(source)
    if not all("spike_count" in layer.variables for layer in tree["layers"].children.values()):
        expected, found = "the result of a simulation", "a tree without spikes"
        raise ResultError("nothing to draw", where=label or None, expected=expected, found=found)
    return tree


def needed(items: object, name: str, hint: str | None = None) -> None:
    """Raise a `ResultError` if there is nothing to draw, or no mapping by names."""
    if not _is_mapping(items):
        expected, found = "a mapping by names", type(items).__name__
        raise ResultError(f"the {name} do not fit", expected=expected, found=found, hint=hint)
    if not items:
        raise ResultError(f"there are no {name} to draw", expected="at least one result")


def drawn_layers(
    tree: xr.DataTree, layers: Layers, least: int = 1, most: float = math.inf
) -> list[str]:
    """Return the names of layers, by default of those that can fire and have so many neurons."""
    names = chosen_layers(tree, layers)
    if layers is not None:
        return names
    sizes = {name: layer_data(tree, name).sizes["neuron"] for name in names}
    fitting = [name for name in names if least <= sizes[name] <= most]
    if not fitting:
        raise ResultError(
            "no layer has a number of neurons that can be drawn", where="layers",
            expected=f"{least} or more" if math.isinf(most) else f"{least} to {most:,.0f}",
            found=shortened(", ".join(f"{size:,} in {name}" for name, size in sizes.items())),
            hint="Name a layer to draw it nevertheless" if max(sizes.values()) > most else None,
        )  # fmt: skip
    return fitting


def panels_of(
    results: Mapping[str, xr.DataTree], layers: Layers, least: int = 1, most: float = math.inf
) -> dict[str, tuple[str, str]]:
    """Return result and layer of panels by title: the result's name, with several layers both."""
    chosen = {name: drawn_layers(tree, layers, least, most) for name, tree in results.items()}
    several = len(layers_in(chosen)) > 1 or "" in results
    return {
        joined(name, layer if several else ""): (name, layer)
        for name, own in chosen.items()
        for layer in own
    }


def joined(*names: str) -> str:
    """Return the name of a panel or row from the names of its result and layer, if any."""
    return ", ".join(name for name in names if name)


@dataclass(frozen=True)
class Measure(Generic[T]):
    """A measure that a figure draws, given or computed.

    `name`: in errors, in the plural.
    `of`: the function of a result, and of a layer where there is one.
    `kind`: the class of its values.
    `needs`: the dimensions or variables that the figure reads.
    `sizes`: the least and the largest number of neurons of a layer that is drawn by default.
    """

    name: str
    of: Callable[..., T]
    kind: type[T]
    needs: tuple[str, ...]
    sizes: tuple[int, float] = (1, math.inf)

    def by_result(self, given: Any) -> dict[str, T]:
        """Return the measure by result, of a function without a layer."""
        return {
            label: self.of(each) if isinstance(each, xr.DataTree) else self._checked(each, label)
            for label, each in by_name(given, self.name).items()
        }

    def by_layer(self, given: Any, layers: Layers) -> dict[str, dict[str, T]]:
        """Return the measure by result and layer; of one result it may be given by layer."""
        mapping = by_name(given, self.name)
        if all(isinstance(each, self.kind) for each in mapping.values()):
            mapping = {"": mapping}
        found: dict[str, dict[str, T]] = {}
        for label, each in mapping.items():
            if isinstance(each, xr.DataTree):
                chosen = drawn_layers(each, layers, *self.sizes)
                found[label] = {layer: self.of(each, layer) for layer in chosen}
            elif _is_mapping(each):
                chosen = _chosen(each, layers)
                found[label] = {n: self._checked(each[n], joined(label, n)) for n in chosen}
            else:
                self._refuse(each, label, "by layer")
        return found

    def by_panel(self, given: Any, layers: Layers) -> dict[str, T]:
        """Return the measure by result or, if several of its layers are drawn, by both."""
        mapping = by_name(given, self.name)
        trees = {name: each for name, each in mapping.items() if isinstance(each, xr.DataTree)}
        if layers is not None and len(trees) < len(mapping):
            expected, found = "results, whose layers they are", self.name
            raise ResultError("layers do not fit", expected=expected, found=found)
        rows = panels_of(trees, layers, *self.sizes)
        return {
            **{title: self.of(trees[name], layer) for title, (name, layer) in rows.items()},
            **{n: self._checked(each, n) for n, each in mapping.items() if n not in trees},
        }

    def _checked(self, given: Any, where: str) -> T:
        if not isinstance(given, self.kind):
            self._refuse(given, where)
        several = isinstance(given, xr.Dataset)
        known: list[str] = sorted(map(str, given.variables if several else given.dims))
        arrays = given.data_vars.items() if several else [(self.needs[0], given)]
        texts = [str(a.dtype) for n, a in arrays if n in self.needs and a.dtype.kind not in "iufb"]
        complete = {*known} >= {*self.needs}
        if texts or not complete:
            raise ResultError(
                f"the {self.name} do not fit", where=where or None,
                expected="numbers" if complete else ", ".join(self.needs),
                found=texts[0] if complete else shortened(", ".join(known)) or "none",
            )  # fmt: skip
        return given

    def _refuse(self, given: object, where: str, form: str = "") -> NoReturn:
        raise ResultError(
            f"the {self.name} do not fit", where=where or None,
            expected=f"a result, the path of one, or a measure {form}".strip(),
            found=type(given).__name__,
        )  # fmt: skip


def _is_source(given: object) -> bool:
    return isinstance(given, xr.DataTree | Path | str)


def _is_mapping(given: object) -> bool:
    return isinstance(given, Mapping) and not isinstance(given, xr.DataTree | xr.Dataset)


def _chosen(measured: Mapping[str, Any], layers: Layers) -> list[str]:
    if layers is not None:
        instance(layers, "layers", (str, list, tuple), error=ResultError)
    names = [layers] if isinstance(layers, str) else [*(measured if layers is None else layers)]
    if not names:
        raise ResultError("there is no layer to draw", where="layers", expected="at least one")
    for name in names:
        if name not in measured:
            expected = " or ".join(map(repr, measured))
            raise ResultError("there is no such layer", expected=expected, found=repr(name))
    return names


def layers_in(results: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the layers that any result has, in their order."""
    return list(dict.fromkeys(layer for layers in results.values() for layer in layers))


def of_layer(results: Mapping[str, Mapping[str, U]], layer: str) -> list[tuple[int, str, U]]:
    """Return index, label and data of the results that have a layer."""
    return [
        (index, label, layers[layer])
        for index, (label, layers) in enumerate(results.items())
        if layer in layers
    ]
