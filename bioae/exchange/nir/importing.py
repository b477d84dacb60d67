"""Networks from NIR graphs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from bioae.checks import one_of
from bioae.equations.quantities import time_in_seconds
from bioae.errors import InputError
from bioae.exchange.nir.assumptions import log_assumptions
from bioae.exchange.nir.folding import Fold, folded
from bioae.exchange.nir.graphs import Chain, Reset, Stage, chain_of, kind_of_node
from bioae.exchange.nir.inputs import GraphInput, check_output, encoder_of, input_of, table
from bioae.exchange.nir.library import Graph, array_of, library, nir_error, read_graph
from bioae.exchange.nir.populations import Population, population_of
from bioae.networks.config import NetworkConfig
from bioae.networks.encoder_base import EncoderBase
from bioae.networks.layer_base import as_text
from bioae.networks.network import Network

if TYPE_CHECKING:
    from brian2 import Quantity

#: The largest distance of a delay from a multiple of the time step, in steps.
_ROUNDING = 1e-3

Array = NDArray[np.float64]
Shape = tuple[int, ...]


class Row(NamedTuple):
    """Translation of a graph's node: its name, its type, and what it becomes."""

    node: str
    type: str
    becomes: str


@dataclass(frozen=True)
class Translation:
    """A network from a NIR graph.

    Attributes
    ----------
    network
        The network.
    rows
        The nodes, in order.
    """

    network: Network
    rows: tuple[Row, ...] = field(repr=False)


def from_nir(
    graph: Graph | Path | str,
    *,
    dt: str | Quantity,
    steps: int = 25,
    encoder: str | Mapping[str, Any] | EncoderBase = "constant_current",
    reset: Reset = "zero",
    decoder: str | Mapping[str, Any] | None = None,
    task: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | None = None,
) -> Network:
    """Convert a NIR graph to a network, which computes forward Euler steps of its equations.

    A line in the log names the reset, the time step and the encoder, which NIR does not store.

    Parameters
    ----------
    graph
        A `nir.NIRGraph`, or the path of its file; nothing in a file is executed.
    dt
        The time step, such as ``"1*ms"``, which NIR does not store: that of the software that
        wrote the graph.
    steps
        Steps of a presentation.
    encoder
        The encoder: a name, whose `rate` or `gain` is then 1, a table of its keys, or an encoder.
    reset
        ``"zero"``: to ``v_reset``, as NIR defines it. ``"subtract"``: the threshold is subtracted
        from v; ``"subtract_delayed"``: after the leak of the next step, which is snnTorch's
        default. NIR has no node for these two, so that `to_nir` rejects such a network.
    decoder
        The decoder, a name or a table; by default ``count``, or ``max`` for neurons that never
        fire.
    task
        The table of the task; by default a classification, one class per neuron of the last layer.
    input_shape
        (channel, y, x) of images, or (channel,) of signals. By default that of the graph; a flat
        input is a square image if possible.

    Raises
    ------
    InputError
        If the library ``nir`` or the file is missing, a node has no rule or does not fit, by its
        name, or an argument does not fit.
    """
    return translate(
        graph, dt=dt, steps=steps, encoder=encoder, reset=reset, decoder=decoder, task=task,
        input_shape=input_shape,
    ).network  # fmt: skip


def translate(
    graph: Graph | Path | str,
    *,
    dt: str | Quantity,
    steps: int = 25,
    encoder: str | Mapping[str, Any] | EncoderBase = "constant_current",
    reset: Reset = "zero",
    decoder: str | Mapping[str, Any] | None = None,
    task: Mapping[str, Any] | None = None,
    input_shape: Sequence[int] | None = None,
) -> Translation:
    """Convert a NIR graph as `from_nir` does; return the translation of each node, too."""
    one_of(reset, "reset", get_args(Reset))
    if isinstance(graph, str | Path):
        graph = read_graph(graph)
    elif not isinstance(graph, library().NIRGraph):
        raise InputError("this is not a NIR graph", found=type(graph).__name__,
                         expected="a nir.NIRGraph, or the path of a file")  # fmt: skip
    step = time_in_seconds(dt, where="dt"), str(as_text(dt))
    chain = chain_of(graph)
    source = input_of(chain, encoder_of(encoder), input_shape)
    builder = _Builder(chain, source, step, reset)
    outputs, silent = math.prod(builder.shape), builder.silent
    config = NetworkConfig.from_mapping(
        {
            "input_shape": list(source.input_shape),
            "dt": as_text(dt),
            "steps": steps,
            "schedule": "brian2",
            "neuron": builder.layers[0]["neuron"],
            "task": table(task) if task else {"kind": "classification", "classes": outputs},
            "encoder": source.encoder,
            "decoder": table(decoder or ("max" if silent else "count")),
            "layers": builder.layers,
            "neurons": builder.models,
        },
        where="the network of the NIR graph",
    )
    network = Network(config, builder.weights)
    log_assumptions(chain, source.encoder, step, reset)
    return Translation(network, tuple(builder.rows))


class _Builder:
    """The layers of a network, one after another, and the translation of each node.

    `shape` is that of the last layer, as NIR has it; `silent` if its neurons never fire.
    """

    def __init__(
        self, chain: Chain, source: GraphInput, dt: tuple[float, str], reset: Reset
    ) -> None:
        (self._dt, self._text), self._reset = dt, reset
        self.layers: list[dict[str, Any]] = []
        self.models: dict[str, Any] = {}
        self.weights: dict[str, Array] = {}
        name, kind = chain.source[0], source.encoder.model_dump()["kind"]
        self.rows = [Row(name, "Input", f"input {list(source.input_shape)}, encoder {kind}")]
        self.shape, self._image, self.silent = source.shape, source.image, False
        before = ""
        for stage in chain.stages:
            if self.silent:
                raise nir_error(
                    before, "neurons without a threshold send their potential onward",
                    expected="such neurons at the end of the graph",
                )  # fmt: skip
            self._add(stage)
            before = stage.name
        check_output(*chain.sink, self.shape)
        self.rows.append(Row(chain.sink[0], "Output", "the decoder's input"))

    def _add(self, stage: Stage) -> None:
        fold = folded(stage.operations, self.shape, image=self._image)
        if fold.is_identity:
            fold = fold.as_matrix(stage.name)
        population = population_of(
            stage.name, stage.node, fold.shape, dt=self._dt, reset=self._reset
        )
        name = self._name(stage.name)
        layer: dict[str, Any] = {"name": name, "neuron": population.model.name}
        rows = [Row(*step) for step in fold.steps]
        if stage.recurrent is not None:
            fold, recurrent_rows = self._recurrent(stage, fold, layer)
            rows += recurrent_rows
        self._connect(stage, fold, layer)
        self._populate(population, layer)
        self.rows += [each._replace(becomes=f"layer {name}: {each.becomes}") for each in rows]
        kind = type(stage.node).__name__
        self.rows.append(Row(stage.name, kind, f"layer {name}: {_described(layer, population)}"))
        self.layers.append(layer)

    def _name(self, node: str) -> str:
        """Return the name of the layer of a node: unique, and as layers are named."""
        words = re.findall("[a-z0-9]+", node.lower())
        name = "_".join(words)[:60].strip("_") or "layer"
        name = name if name[0].isalpha() else f"layer_{name}"
        taken = {"input", *(layer["name"] for layer in self.layers)}
        names = (name, *(f"{name}_{number}" for number in range(2, 10**6)))
        return next(each for each in names if each not in taken)

    def _recurrent(self, stage: Stage, fold: Fold, layer: dict[str, Any]) -> tuple[Fold, list[Row]]:
        """Add the connections within a layer; their bias is one of its neurons."""
        assert stage.recurrent is not None
        back = folded(stage.recurrent, fold.shape, image=None).as_matrix(stage.name)
        if back.size != fold.size:
            raise nir_error(stage.name, "the recurrent connection has another number of outputs",
                            expected=str(fold.size), found=back.size)  # fmt: skip
        if back.delay or back.source_delay is not None or back.target_delay is not None:
            name = next(n for n, node in stage.recurrent if type(node).__name__ == "Delay")
            raise nir_error(
                name, "there is no rule for a delay within a cycle, whose own step NIR leaves open"
            )
        weights = _dense(back.matrix)
        layer |= {"recurrent": True, "autapses": bool(weights.diagonal().any())}
        self.weights[f"{layer['name']}.recurrent"] = weights
        rows = [Row(n, kind, f"recurrent {becomes}") for n, kind, becomes in back.steps]
        if back.bias is None:
            return fold, rows
        bias = back.bias
        if fold.kernel is not None:
            each = bias.reshape(fold.kernel.output_shape[0], -1)
            if (each == each[:, :1]).all():
                return fold.plus(each[:, 0]), rows
        return fold.as_matrix(stage.name).plus(bias), rows

    def _connect(self, stage: Stage, fold: Fold, layer: dict[str, Any]) -> None:
        """Add the connections from the layer before."""
        varied = fold.source_delay is not None or fold.target_delay is not None
        if varied and fold.kernel is not None:
            fold = fold.as_matrix(stage.name)
        name, shape = layer["name"], fold.shape
        if fold.kernel is not None:
            layer |= fold.kernel.table()
            weight = fold.kernel.weight
            self._image = fold.kernel.output_shape
        else:
            weight = _dense(fold.matrix)
            image = {3: shape, 2: (shape[0], 1, shape[-1])}.get(len(shape))
            layer |= {"kind": "dense"}
            layer |= {"units": fold.size} if image is None else {"shape": list(image)}
            self._image = image
        self.weights[f"{name}.weight"] = weight
        if fold.bias is not None and fold.bias.any():
            layer["bias"] = True
            self.weights[f"{name}.bias"] = fold.bias
        if varied:
            self._varied_delay(stage, fold, layer)
        elif fold.delay:
            layer["delay"] = self._time(self._in_steps(stage, np.asarray(fold.delay)))
        self.shape = shape

    def _varied_delay(self, stage: Stage, fold: Fold, layer: dict[str, Any]) -> None:
        source = np.zeros(fold.source) if fold.source_delay is None else fold.source_delay
        target = np.zeros(fold.size) if fold.target_delay is None else fold.target_delay
        steps = self._in_steps(stage, fold.delay + target[:, None] + source)
        self.weights[f"{layer['name']}.weight_delay"] = steps * self._dt
        layer["delay"] = [self._time(steps.min()), self._time(steps.max())]

    def _in_steps(self, stage: Stage, seconds: Array) -> Array:
        """Return delays in steps."""
        steps = np.rint(seconds / self._dt)
        if self._rounding(seconds) > _ROUNDING:
            delays = {
                name: array_of(name, node, "delay")
                for name, node in stage.operations
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

    def _time(self, steps: Any) -> str:
        return f"{int(steps)}*({self._text})"

    def _populate(self, population: Population, layer: dict[str, Any]) -> None:
        """Add the neurons."""
        model = population.model
        self.models[model.name] = model.to_mapping()
        self.silent = model.threshold is None
        if self.silent:
            layer["readout"] = model.name
        layer["parameters"] = population.parameters
        for name, values in population.arrays.items():
            self.weights[f"{layer['name']}.{name}"] = values


def _dense(matrix: Any) -> Array:
    return np.ascontiguousarray(matrix if isinstance(matrix, np.ndarray) else matrix.toarray())


def _described(layer: Mapping[str, Any], population: Population) -> str:
    """Return the neurons of a layer in words."""
    size = layer.get("units") or layer.get("shape") or layer["channels"]
    what = f"{layer['kind']} {size}, neuron {population.model.name}"
    if population.arrays:
        what += f", own {', '.join(population.arrays)} of each neuron"
    return what
