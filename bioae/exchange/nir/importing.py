"""Networks from NIR graphs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from bioae.checks import one_of
from bioae.equations.quantities import time_in_seconds
from bioae.errors import InputError
from bioae.exchange.nir.assumptions import log_assumptions
from bioae.exchange.nir.building import Builder, Row
from bioae.exchange.nir.graphs import Reset, ordered
from bioae.exchange.nir.inputs import encoder_of, input_of, table
from bioae.exchange.nir.library import Graph, library, read_graph
from bioae.networks.config import NetworkConfig
from bioae.networks.encoder_base import EncoderBase
from bioae.networks.layer_base import as_text
from bioae.networks.network import Network

if TYPE_CHECKING:
    from brian2 import Quantity


class Translation(NamedTuple):
    """A network from a NIR graph, and what each of its nodes becomes, in order."""

    network: Network
    rows: tuple[Row, ...]


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
        default. NIR has no node for these two: see `ignore_reset` of `to_nir`.
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
    order = ordered(graph)
    source = input_of(order, encoder_of(encoder), input_shape)
    builder = Builder(order, source, step, reset)
    last = order.stages[-1].name
    outputs, silent = math.prod(builder.shapes[last]), last in builder.silent
    config = NetworkConfig.from_mapping(
        {
            "input_shape": list(source.input_shape),
            "dt": as_text(dt),
            "steps": steps,
            "schedule": "brian2",
            "neuron": builder.populations[0]["neuron"],
            "task": table(task) if task else {"kind": "classification", "classes": outputs},
            "encoder": source.encoder,
            "decoder": table(decoder or ("max" if silent else "count")),
            **builder.tables(),
            "neurons": builder.models,
        },
        where="the network of the NIR graph",
    )
    network = Network(config, builder.weights)
    log_assumptions(order, source.encoder, step, reset, builder.late)
    return Translation(network, tuple(builder.rows))
