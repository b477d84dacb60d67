"""An independent interpreter of NIR graphs: forward Euler, node by node.

It follows the definitions in the docstrings of ``nir.ir`` and nothing of bioae; PyTorch convolves
and pools. CubaLIF and CubaLI update I first, and v with the new I (semi-implicit Euler), as
snnTorch does. A way that closes a cycle takes one step; everything else takes none.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

Array = NDArray[np.float64]
Edges = Collection[tuple[str, str]]


def run(
    graph: Any, raster: Array, dt: float, *, reset: str = "zero", back: Edges = ()
) -> dict[str, Array]:
    """Return the output of every node (time, ...), by its name, for an input (time, ...).

    `back` are the edges from neurons that close a cycle of several populations.
    """
    nodes, edges = _flat(graph)
    late = {*back, *_own(nodes, edges)}
    before = {name: [a for a, b in edges if b == name] for name in nodes}
    at_once = {b: [a for a in each if (a, b) not in late] for b, each in before.items()}
    order = [*TopologicalSorter(at_once).static_order()]
    states: dict[str, dict[str, Any]] = {name: {} for name in nodes}
    outputs: list[dict[str, Array]] = []
    for values in raster:
        now: dict[str, Array] = {}
        for name in order:
            node = nodes[name]
            # Nothing was emitted before the first step.
            size = getattr(node, "delay", np.ravel(getattr(node, "weight", np.zeros((1, 1)))[0]))
            past = outputs[-1] if outputs else dict.fromkeys(nodes, np.zeros(np.shape(size)))
            arrived: Any = sum((past if (a, name) in late else now)[a] for a in before[name])
            if not before[name]:
                arrived = values.reshape([int(n) for n in node.input_type["input"]])
            now[name] = _node(node, arrived, states[name], dt, reset)
        outputs.append(now)
    return {name: np.stack([each[name] for each in outputs]) for name in nodes}


def _flat(graph: Any, prefix: str = "") -> tuple[dict[str, Any], list[tuple[str, str]]]:
    nodes: dict[str, Any] = {}
    edges = []
    ends = {}
    for name, node in graph.nodes.items():
        if type(node).__name__ == "NIRGraph":
            inner, inner_edges = _flat(node, f"{prefix}{name}.")
            nodes |= inner
            edges += inner_edges
            ends[name] = (
                next(f"{prefix}{name}.{n}" for n in node.nodes if n in node.inputs),
                next(f"{prefix}{name}.{n}" for n in node.nodes if n in node.outputs),
            )
        else:
            nodes[prefix + name] = node
            ends[name] = (prefix + name, prefix + name)
    edges += [(ends[a][1], ends[b][0]) for a, b in graph.edges]
    return nodes, edges


NEURONS = ("LIF", "CubaLIF", "IF", "LI", "CubaLI", "I")


def _own(nodes: dict[str, Any], edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the edges from neurons on a way without branches back to the same neurons."""
    found = []
    for start, name in (each for each in edges if type(nodes[each[0]]).__name__ in NEURONS):
        node = name
        while type(nodes[node]).__name__ not in NEURONS:
            after = [b for a, b in edges if a == node]
            if len(after) != 1:
                break
            (node,) = after
        if node == start:
            found.append((start, name))
    return found


def _node(node: Any, x: Any, state: dict[str, Any], dt: float, reset: str) -> Array:
    kind = type(node).__name__
    if kind in NEURONS:
        return _neurons(node, x, state, dt, reset)
    if kind in ("Input", "Output"):
        return np.asarray(x)
    if kind != "Delay":
        return operated(node, x)
    past = state.setdefault("past", [])
    past.append(x)
    delayed = np.zeros_like(x, dtype=float)
    steps = np.broadcast_to(np.rint(_f(node.delay) / dt).astype(int), x.shape)
    for place in np.ndindex(x.shape):
        if steps[place] < len(past):
            delayed[place] = past[-1 - steps[place]][place]
    return delayed


def operated(node: Any, x: Any) -> Array:
    """Return the output of an operation for an input without an axis of examples."""
    match type(node).__name__:
        case "Linear" | "Affine":
            x = x.ravel() if x.shape[-1:] != np.shape(node.weight)[1:] else x
            return np.asarray(x @ _f(node.weight).T + _f(getattr(node, "bias", 0)))
        case "Scale":
            return np.asarray(x * _f(node.scale))
        case "Flatten":
            return np.asarray(torch.tensor(x).flatten(int(node.start_dim), int(node.end_dim)))
    functional = torch.nn.functional
    ints = lambda field: [int(n) for n in np.ravel(getattr(node, field))]  # noqa: E731
    inputs = torch.as_tensor(np.asarray(x, float))
    if (kind := type(node).__name__) in ("Conv1d", "Conv2d"):
        weight, bias = (torch.as_tensor(_f(each)) for each in (node.weight, node.bias))
        padding = node.padding if isinstance(node.padding, str) else ints("padding")
        convolve = getattr(functional, kind.lower())
        options = ints("stride"), padding, ints("dilation"), int(node.groups)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that PyTorch copies what it pads unevenly
            return np.asarray(convolve(inputs, weight, bias, *options))
    sizes = ints("kernel_size"), ints("stride"), ints("padding")
    mean = np.asarray(functional.avg_pool2d(inputs, *sizes))
    return mean if kind == "AvgPool2d" else mean * float(np.prod(sizes[0]))


def _neurons(node: Any, x: Array, state: dict[str, Any], dt: float, reset: str) -> Array:
    kind = type(node).__name__
    v = state.get("v", np.zeros_like(x))
    current = x
    if kind.startswith("Cuba"):
        i = state.get("i", np.zeros_like(x))
        current = state["i"] = i + dt * (_f(node.w_in) * x - i) / _f(node.tau_syn)
    r = _f(node.r)
    if kind in ("IF", "I"):
        v = v + dt * (r * current)
    else:
        tau = _f(node.tau_mem if kind.startswith("Cuba") else node.tau)
        v = v + dt * (r * current - v + _f(node.v_leak)) / tau
    state["v"] = v
    if kind in ("LI", "CubaLI", "I"):
        return v
    threshold, v_reset = _f(node.v_threshold), _f(node.v_reset)
    fired = v > threshold
    after = v_reset if reset == "zero" else v - (threshold - v_reset)
    state["v"] = np.where(fired, after, v)
    return fired.astype(float)


def _f(value: Any) -> Array:
    return np.asarray(value, dtype=np.float64)
