"""An independent interpreter of NIR graphs: forward Euler, node by node.

It follows the definitions in the docstrings of ``nir.ir`` and nothing of bioae; PyTorch convolves
and pools. CubaLIF and CubaLI update I first, and v with the new I (semi-implicit Euler), as
snnTorch does. A cycle takes one step; everything else takes none.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

Array = NDArray[np.float64]


def run(graph: Any, raster: Array, dt: float, *, reset: str = "zero") -> dict[str, Array]:
    """Return the output of every node (time, ...), by its name, for an input (time, ...)."""
    nodes, edges = _flat(graph)
    order = _order(nodes, edges)
    states: dict[str, dict[str, Any]] = {name: {} for name in nodes}
    outputs: dict[str, list[Array]] = {name: [] for name in nodes}
    for values in raster:
        now: dict[str, Array] = {}
        for name in order:
            before = [a for a, b in edges if b == name]
            if type(nodes[name]).__name__ == "Input" and not before:
                arrived: Any = values.reshape([int(n) for n in nodes[name].input_type["input"]])
            else:
                arrived = 0.0
                for each in before:
                    if each in now:
                        arrived = arrived + now[each]
                    else:  # of a cycle: what the neurons emitted in the step before
                        arrived = arrived + _back(each, nodes, edges, outputs, nodes[name])
            now[name] = _node(nodes[name], arrived, states[name], dt, reset)
        for name, value in now.items():
            outputs[name].append(value)
    return {name: np.stack(value) for name, value in outputs.items() if value}


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


def _order(nodes: dict[str, Any], edges: list[tuple[str, str]]) -> list[str]:
    """Return the nodes in the order of a step, without those that lead back to neurons."""
    order: list[str] = []
    waiting = {name for name in nodes if not any(b == name for _, b in edges)}
    while waiting:
        name = waiting.pop()
        order.append(name)
        for _, after in (edge for edge in edges if edge[0] == name):
            before = {a for a, b in edges if b == after}
            ready = before <= {*order} or (
                type(nodes[after]).__name__ in NEURONS and len(before) > 1
                and any(each in order for each in before)
            )  # fmt: skip
            if ready and after not in order and not _is_back(after, order, nodes, edges):
                waiting.add(after)
    return order


def _is_back(name: str, order: list[str], nodes: Any, edges: list[tuple[str, str]]) -> bool:
    """Return whether a node that is no neuron leads only to neurons that come before it."""
    while type(nodes[name]).__name__ not in NEURONS:
        after = [b for a, b in edges if a == name]
        if len(after) != 1:
            return False
        name = after[0]
        if type(nodes[name]).__name__ == "Output" and not any(a == name for a, _ in edges):
            return False
    return name in order


def _back(name: str, nodes: Any, edges: Any, outputs: Any, target: Any) -> Array:
    """Return what a way back brings: its operations, applied to spikes of the step before."""
    before = [a for a, b in edges if b == name]
    node = nodes[name]
    if type(node).__name__ in NEURONS:
        past = outputs[name]
        return past[-1] if past else np.zeros(1)
    arrived = _back(before[0], nodes, edges, outputs, target)
    if not outputs.get(before[0]) and type(nodes[before[0]]).__name__ in NEURONS:
        arrived = np.zeros(np.shape(node.weight)[1])  # nothing was emitted yet
    return _node(node, arrived, {}, 1.0, "zero")


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
