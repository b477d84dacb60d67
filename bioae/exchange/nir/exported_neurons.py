"""Neurons of a layer as a node of NIR, whose forward Euler steps equal the layer's steps.

The models that an import makes are taken as they are. Any other model is a leaky integrate-and-fire
neuron in NIR, too, if it has one variable, its statements are linear in it, and its reset is to a
constant. The statements decide that; values at single points only give the constants.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.arrays.start import Start
from bioae.equations.arrays.stepping import Stepper
from bioae.equations.expressions import Expression
from bioae.equations.program import INPUT, Program, Statements
from bioae.errors import NetworkError
from bioae.exchange.nir.graphs import NEURONS, Reset
from bioae.exchange.nir.populations import model_of
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer

Array = NDArray[np.float64]

#: The relative distance by which a threshold is raised: more than the rounding errors of a step, so
#: that a potential that equals the threshold still does not exceed it.
_ROUNDING = 2.0**-48


class ExportedNeurons(NamedTuple):
    """The type of a node of neurons, such as ``LIF``, and its fields (neuron)."""

    kind: str
    fields: Mapping[str, Array]


def _no_node(placed: PlacedLayer, reason: str, hint: str | None = None) -> NetworkError:
    """Return the error of a layer whose neurons cannot be exported."""
    return NetworkError(
        f"NIR has no node for the neuron model {placed.model.name!r}: {reason}",
        where=f"layer {placed.name!r}", hint=hint,
    )  # fmt: skip


def exported_neurons(
    network: Network, placed: PlacedLayer, *, ignore_reset: bool = False
) -> ExportedNeurons:
    """Return the neurons of a layer as the fields of a node, or raise NetworkError."""
    if placed.layer.background is not None:
        raise _no_node(placed, "it receives random background input")
    parameters = network.parameters(placed)
    schedule = network.config.schedule
    for kind, reset in itertools.product(NEURONS, get_args(Reset)):
        if placed.model.to_mapping() == _renamed(placed, kind, reset) and schedule == "brian2":
            if reset != "zero" and placed.program.threshold is not None and not ignore_reset:
                raise _no_node(
                    placed, "it is reset by subtraction",
                    "With ignore_reset (--ignore-reset) the graph is that of snnTorch, which does "
                    f"not store the reset: the reader must set that of {placed.model.name} again",
                )  # fmt: skip
            fields = {n: _each(placed, values) for n, values in parameters.items()}
            return ExportedNeurons(kind, fields)
    _check(placed)
    if schedule != "paper":
        raise _no_node(
            placed, f"in the order of a step {schedule!r}, input that arrives with a spike is lost",
            "Export a network in the order of the paper, or one that was imported",
        )  # fmt: skip
    return _measured(placed, parameters, network.config.dt_seconds)


def _renamed(placed: PlacedLayer, kind: str, reset: Reset) -> dict[str, Any]:
    """Return the fields of the model of a type of node, with the layer's parameters."""
    model = model_of(kind, reset)
    known = model.parameters.keys() & placed.model.parameters.keys()
    return model.with_parameters({n: placed.model.parameters[n] for n in known}).to_mapping()


def _each(placed: PlacedLayer, values: Any) -> Array:
    return np.broadcast_to(np.asarray(values, np.float64), placed.size).copy()


def _check(placed: PlacedLayer) -> None:
    """Reject models that no node can do."""
    program = placed.program
    model = program.model
    reset = {statement.target for statement in program.reset} & program.states.keys()
    has = {
        "it is not reset to a constant, as all neurons of NIR are": any(
            _degree(program.reset, state) for state in reset
        ),
        "it has a refractory period": program.refractory,
        "it has custom events": program.events,
        "it draws random numbers": program.draws,
        "it changes over a presentation": program.timed or program.regularly,
        "it receives inhibition at a separate variable": program.inhibited,
        "it has several variables": len(program.states) != 1,
        "a spike adds to several variables": model.inputs,
        "it counts the spikes of its layer": model.layer_spikes,
        "it settles before a presentation": model.settle,
        "it has subexpressions that are constant over a step": program.prepare,
        "its equations depend on t": "t" in _names(program),
    }
    for reason, found in has.items():
        if found:
            raise _no_node(placed, reason)


def _names(program: Program) -> set[str]:
    statements = (*program.update, *program.reset)
    names = {name for statement in statements for name in statement.value.names}
    return names if program.threshold is None else names | program.threshold.names


def _degree(statements: Statements, state: str) -> int:
    """Return the degree of a state after statements, as a polynomial of its value before them.

    0: it does not depend on it; 1: it is linear in it; 2: anything else.
    """
    degrees = {state: 1}

    def of(node: ast.expr) -> int:
        match node:
            case ast.Name(id=name):
                return degrees.get(name, 0)
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
                return of(operand)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
                return max(of(left), of(right))
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return min(of(left) + of(right), 2)
            case ast.BinOp(left=left, op=ast.Div(), right=right) if not of(right):
                return of(left)
        parts = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr)]
        return 2 if any(map(of, parts)) else 0

    for statement in statements:
        degrees[statement.target] = of(statement.value.tree)
    return degrees[state]


def _measured(placed: PlacedLayer, parameters: Mapping[str, Any], dt: float) -> ExportedNeurons:
    """Return the neurons whose steps, in the paper's order, are those of a layer."""
    step = _Step(placed, parameters, dt)
    offset = step.update(0.0)
    kept = step.update(1.0) - offset
    if (offset != step.start).any() or (offset != 0).any():
        raise _no_node(placed, "its potential does not start at rest, at 0")
    gain = step.receive()
    if not ((kept > 0) & (kept <= 1)).all():
        raise _no_node(placed, "its potential does not decay")
    leaks = kept < 1
    if leaks.any() and not leaks.all():
        raise _no_node(placed, "some of its neurons leak and others do not")
    # exp(-dt/tau) = 1 - dt/tau' holds for this tau'.
    tau = dt / (1 - kept) if leaks.all() else np.full(placed.size, dt)
    fields = {"r": gain * tau / dt if leaks.all() else gain / dt}
    if leaks.all():
        fields |= {"tau": tau, "v_leak": np.zeros(placed.size)}
    if placed.program.threshold is None:
        return ExportedNeurons("LI" if leaks.all() else "I", fields)
    threshold, reset = step.threshold(), step.reset()
    fields["v_threshold"] = threshold + np.abs(threshold) * _ROUNDING
    fields["v_reset"] = reset
    return ExportedNeurons("LIF" if leaks.all() else "IF", fields)


class _Step:
    """One step of the neurons of a layer with one variable, block by block."""

    def __init__(self, placed: PlacedLayer, parameters: Mapping[str, Any], dt: float) -> None:
        program = placed.program
        self._placed, self._program = placed, program
        (self._state,) = program.states
        if _degree(program.update, self._state) > 1:
            raise _no_node(placed, "its steps are not linear")
        self._functions = array_functions(np)
        self._stepper = Stepper(program, self._functions)
        size = placed.size
        start = Start(program, dt, size)
        self.start = _each(placed, start.state(parameters)[self._state])
        self._values: dict[str, Any] = {
            "dt": np.asarray(dt), "N": np.asarray(float(size)), "i": np.arange(float(size)),
            "_fired": np.ones(size, bool), INPUT: np.zeros(size), **parameters,
            **start.constants(parameters),
        }  # fmt: skip

    def _from(self, state: float, **changes: Any) -> dict[str, Any]:
        return {**self._values, self._state: np.full(self._placed.size, state), **changes}

    def update(self, state: float) -> Array:
        """Return the variable after an update from a value."""
        values = self._from(state)
        self._stepper.update(values)
        return _each(self._placed, values[self._state])

    def receive(self) -> Array:
        """Return the change caused by an input of 1.0."""
        values = self._from(0.0, **{INPUT: np.ones(self._placed.size)})
        self._stepper.receive(values)
        return _each(self._placed, values[self._state])

    def threshold(self) -> Array:
        """Return the threshold."""
        assert self._program.threshold is not None
        match self._program.threshold.tree:
            case (
                ast.Compare(left=ast.Name(id=self._state), ops=[ast.Gt()], comparators=[bound])
                | ast.Compare(left=bound, ops=[ast.Lt()], comparators=[ast.Name(id=self._state)])
            ) if self._state not in (expression := Expression.of(bound)).names:
                return _each(
                    self._placed, compile_expression(expression, self._functions)(self._values)
                )
        raise _no_node(
            self._placed,
            f"its threshold is {self._program.threshold.text!r}, not one comparison "
            f"'{self._state} > ...'",
        )

    def reset(self) -> Array:
        """Return the potential after a spike."""
        values = self._from(0.0)
        self._stepper.reset(values)
        return _each(self._placed, values[self._state])
