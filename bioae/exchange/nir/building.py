"""The populations of a network from a NIR graph: layers of a chain, or projections of a graph."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bioae.exchange.nir.folding import Fold, folded
from bioae.exchange.nir.graphs import SILENT, Ordered, Reset, Stage, Way, kind_of_node
from bioae.exchange.nir.inputs import GraphInput
from bioae.exchange.nir.library import array_of, nir_error
from bioae.exchange.nir.populations import Population, population_of
from bioae.networks.layer_base import ENCODER

#: The largest distance of a delay from a multiple of the time step, in steps.
_ROUNDING = 1e-3

#: The largest share of weights of a projection that are not 0 and listed one by one.
_SPARSE = 0.1

Array = NDArray[np.float64]
Shape = tuple[int, ...]


class Row(NamedTuple):
    """Translation of a graph's node: its name, its type, and what it becomes."""

    node: str
    type: str
    becomes: str


class Builder:
    """The populations of a network, one after another, and the translation of each node.

    `dt`: the time step, in seconds and as text; `reset`: the reset of neurons.

    `populations`, `projections`: their tables; without projections those of layers.
    `models`, `weights`: the tables of neuron models, and the arrays of the network.
    `rows`: the translation of each node.
    `shapes`: the shape of each population by the name of its node, as NIR has it; None: of the
        input.
    `silent`: the nodes of neurons that never fire.
    `late`: what arrives later than in the graph, in words.
    """

    def __init__(
        self, order: Ordered, source: GraphInput, dt: tuple[float, str], reset: Reset
    ) -> None:
        (self._dt, self._text), self._reset, self._order = dt, reset, order
        self.populations: list[dict[str, Any]] = []
        self.projections: list[dict[str, Any]] = []
        self.models: dict[str, Any] = {}
        self.weights: dict[str, Array] = {}
        self.late: list[str] = []
        name, kind = order.source[0], source.encoder.model_dump()["kind"]
        self.rows = [Row(name, "Input", f"input {list(source.input_shape)}, encoder {kind}")]
        self.shapes: dict[str | None, Shape] = {None: source.shape}
        self._images: dict[str | None, Shape | None] = {None: source.image}
        self._names: dict[str | None, str] = {None: ENCODER}
        self.silent = {e.name for e in order.stages if kind_of_node(e.node) in SILENT}
        for stage in order.stages:
            self._names[stage.name] = self._name(stage.name)
        folds = {
            stage.name: self._onward(stage)
            for stage in sorted(order.stages, key=attrgetter("depth"))
        }
        for stage in order.stages:
            folds[stage.name] += [self._fold(stage, way) for way in stage.ways if way.back]
        arrives = {e.name: [*zip(e.ways, folds[e.name], strict=True)] for e in order.stages}
        self._depths = self._windows(arrives)
        for stage in order.stages:
            add = self._add_layer if order.is_chain else self._add_population
            add(stage, arrives[stage.name])
        self.rows.append(Row(order.sink[0], "Output", "the decoder's input"))

    def tables(self) -> dict[str, Any]:
        """Return the tables of the network: a chain of layers, or a graph."""
        if self._order.is_chain:
            return {"layers": self.populations}
        return {"populations": self.populations, "projections": self.projections}

    def _name(self, node: str) -> str:
        """Return the name of the population of a node: unique, and as layers are named."""
        words = re.findall("[a-z0-9]+", node.lower())
        name = "_".join(words)[:60].strip("_") or "layer"
        name = name if name[0].isalpha() else f"layer_{name}"
        return _free(name, self._names.values())

    def _onward(self, stage: Stage) -> list[Fold]:
        """Return what arrives from the input and from earlier populations; it gives the shape."""
        folds = []
        for way in stage.ways:
            if way.back:
                continue
            folds.append(fold := self._fold(stage, way))
            self.shapes.setdefault(stage.name, shape := fold.shape)
            image = {3: shape, 2: (shape[0], 1, shape[-1])}.get(len(shape))
            self._images.setdefault(stage.name, image)
        return folds

    def _fold(self, stage: Stage, way: Way) -> Fold:
        """Return the connections of a way: a kernel, or a matrix."""
        if way.source in self.silent:
            raise nir_error(
                way.source, "neurons without a threshold send their potential onward",
                expected="such neurons at the end of the graph",
            )  # fmt: skip
        # A layer's connections to itself are those of single neurons.
        image = None if way.back and self._order.is_chain else self._images[way.source]
        fold = folded(way.operations, self.shapes[way.source], image=image)
        size = math.prod(self.shapes.get(stage.name, fold.shape))
        if fold.size != size:
            raise nir_error(stage.name, "the ways to these neurons differ in their size",
                            expected=str(size), found=fold.size)  # fmt: skip
        slides = fold.kernel is not None and (
            self._images.get(stage.name) in (None, fold.kernel.output_shape)
        )
        varied = fold.source_delay is not None or fold.target_delay is not None
        return fold if slides and not varied else fold.as_matrix(stage.name)

    def _windows(self, arrives: Mapping[str, Sequence[tuple[Way, Fold]]]) -> dict[str | None, int]:
        """Return the least depths with which nothing arrives later than in the graph.

        Where a cycle takes more steps in Brian2 than its delays allow, those of the longest ways.
        """
        least = [
            (way.source, name, (not way.back) - int(self._steps(way, fold).min()))
            for name, ways in arrives.items()
            for way, fold in ways
        ]
        depth: dict[str | None, int] = {None: 0, **dict.fromkeys(arrives, 1)}
        for _ in range(len(depth)):
            late = [each for each in least if depth[each[1]] < depth[each[0]] + each[2]]
            if not late:
                return depth
            for source, name, steps in late:
                depth[name] = max(depth[name], depth[source] + steps)
        return {None: 0, **{stage.name: stage.depth for stage in self._order.stages}}

    def _add_layer(self, stage: Stage, arrives: Sequence[tuple[Way, Fold]]) -> None:
        """Add a population of a chain, and the connections from the one before and to itself."""
        ((way, fold), *back), (layer, population) = arrives, self._populated(stage)
        name, rows = layer["name"], [Row(*step) for step in fold.steps]
        for again, inner in back:
            self.weights[f"{name}.recurrent"] = weights = _dense(inner)
            layer |= {"recurrent": True, "autapses": bool(weights.diagonal().any())}
            layer |= self._delayed(
                f"{name}.recurrent", self._steps(again, inner), "recurrent_delay"
            )
            rows += [Row(n, kind, f"recurrent {text}") for n, kind, text in inner.steps]
            fold = _with_bias(fold, inner.bias, stage.name)
        layer |= self._size(stage, "units") if fold.kernel is None else {}
        layer |= {"kind": "dense"} if fold.kernel is None else fold.kernel.table()
        self.weights[f"{name}.weight"] = _dense(fold) if fold.kernel is None else fold.kernel.weight
        if fold.bias is not None and fold.bias.any():
            layer["bias"] = True
            self.weights[f"{name}.bias"] = fold.bias
        layer |= self._delayed(f"{name}.weight", self._steps(way, fold), "delay")
        self._describe(stage, rows, "layer", layer, population)

    def _add_population(self, stage: Stage, arrives: Sequence[tuple[Way, Fold]]) -> None:
        """Add a population of a graph, and its projections."""
        table, population = self._populated(stage)
        name, rows = table["name"], list[Row]()
        table |= {**self._size(stage, "size"), "depth": self._depths[stage.name]}
        bias = np.zeros(math.prod(self.shapes[stage.name]))
        for way, fold in arrives:
            self._project(stage, name, way, fold)
            if fold.bias is not None:
                bias += np.repeat(fold.bias, len(bias) // len(fold.bias))
            source = self._names[way.source]
            rows += [Row(n, kind, f"from {source}: {text}") for n, kind, text in fold.steps]
        if bias.any():
            table["bias"] = True
            self.weights[f"{name}.bias"] = bias
        self._describe(stage, rows, "population", table, population)

    def _project(self, stage: Stage, name: str, way: Way, fold: Fold) -> None:
        """Add a projection to a population."""
        source = self._names[way.source]
        taken = [each["name"] for each in self.projections if each["to"] == name]
        table: dict[str, Any] = {"from": source, "to": name}
        table["name"] = _free(f"from_{source}", taken)
        key, steps = f"{name}.{table['name']}", self._steps(way, fold)
        # Windows begin a step later from depth to depth; see docs/timing.md.
        steps = steps + self._depths[stage.name] - self._depths[way.source] - (not way.back)
        if steps.min() < 0:
            self.late.append(f"{-steps.min():g} steps later from {source} to {name}")
            steps = np.maximum(steps, 0)
        if fold.kernel is not None:
            table |= {n: each for n, each in fold.kernel.table().items() if n != "channels"}
            self.weights[key] = fold.kernel.weight
        else:
            self.weights[key] = weights = _dense(fold)
            if source == name:
                table["autapses"] = bool(weights.diagonal().any())
            if 0 < np.count_nonzero(weights) <= _SPARSE * weights.size:
                target, at = np.nonzero(weights)
                table |= {"kind": "sparse", "synapses": len(at)}
                self.weights[key] = weights[target, at]
                self.weights[f"{key}_source"] = at.astype(float)
                self.weights[f"{key}_target"] = target.astype(float)
                steps = steps[target, at] if steps.ndim else steps
        self.projections.append(table | self._delayed(key, steps, "delay"))

    def _steps(self, way: Way, fold: Fold) -> Array:
        """Return the delays of a way in steps: one, or those of each connection."""
        seconds = np.asarray(fold.delay)
        if fold.source_delay is not None or fold.target_delay is not None:
            source = np.zeros(fold.source) if fold.source_delay is None else fold.source_delay
            target = np.zeros(fold.size) if fold.target_delay is None else fold.target_delay
            seconds = fold.delay + target[:, None] + source
        steps = np.rint(seconds / self._dt)
        if self._rounding(seconds) > _ROUNDING:
            delays = {
                name: array_of(name, node, "delay")
                for name, node in way.operations
                if kind_of_node(node) == "Delay"
            }
            name = max(delays, key=lambda each: self._rounding(delays[each]))
            raise nir_error(name, "a delay is not a multiple of the time step",
                            expected=f"multiples of {self._dt:g} s",
                            found=seconds.flat[np.abs(seconds / self._dt - steps).argmax()],
                            hint="Choose a dt that divides it")  # fmt: skip
        return steps

    def _rounding(self, seconds: Array) -> float:
        """Return the largest distance from a whole number of steps, in steps."""
        return float(np.abs(seconds / self._dt - np.rint(seconds / self._dt)).max())

    def _delayed(self, name: str, steps: Array, key: str) -> dict[str, Any]:
        """Return the key of delays in steps; add those of single connections to the arrays."""
        if not steps.ndim:
            return {key: self._time(steps)} if steps else {}
        self.weights[f"{name}_delay"] = steps * self._dt
        return {key: [self._time(steps.min()), self._time(steps.max())]}

    def _time(self, steps: Any) -> str:
        return f"{int(steps)}*({self._text})"

    def _size(self, stage: Stage, flat: str) -> dict[str, Any]:
        image = self._images[stage.name]
        return {flat: math.prod(self.shapes[stage.name])} if image is None else {"shape": [*image]}

    def _populated(self, stage: Stage) -> tuple[dict[str, Any], Population]:
        """Return the table of the neurons of a stage, and their parameters."""
        shape, name = self.shapes[stage.name], self._names[stage.name]
        population = population_of(stage.name, stage.node, shape, dt=self._dt, reset=self._reset)
        model = population.model
        self.models[model.name] = model.to_mapping()
        for key, values in population.arrays.items():
            self.weights[f"{name}.{key}"] = values
        table = {"name": name, "neuron": model.name, "parameters": population.parameters}
        return table | ({"readout": model.name} if model.threshold is None else {}), population

    def _describe(
        self, stage: Stage, rows: Sequence[Row], what: str, table: dict[str, Any],
        population: Population,
    ) -> None:  # fmt: skip
        """Add a population, and the rows of its nodes."""
        prefix = f"{what} {table['name']}: "
        self.rows += [each._replace(becomes=prefix + each.becomes) for each in rows]
        self.rows.append(
            Row(stage.name, kind_of_node(stage.node), prefix + _described(table, population))
        )
        self.populations.append(table)


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name, or with a number behind it, that is not taken."""
    known = {*taken}
    names = (name, *(f"{name}_{number}" for number in range(2, 10**6)))
    return next(each for each in names if each not in known)


def _dense(fold: Fold) -> Array:
    matrix = fold.matrix
    return np.ascontiguousarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())


def _with_bias(fold: Fold, bias: Array | None, name: str) -> Fold:
    """Return a fold with a bias of each neuron in addition."""
    if bias is None:
        return fold
    if fold.kernel is not None:
        each = bias.reshape(fold.kernel.output_shape[0], -1)
        if (each == each[:, :1]).all():
            return fold.plus(each[:, 0])
    return fold.as_matrix(name).plus(bias)


def _described(table: Mapping[str, Any], population: Population) -> str:
    """Return the neurons of a layer or a population in words."""
    size = next(table[key] for key in ("units", "size", "shape", "channels") if key in table)
    what = f"{table.get('kind', '')} {size}, neuron {population.model.name}".lstrip()
    if population.arrays:
        what += f", own {', '.join(population.arrays)} of each neuron"
    return what
