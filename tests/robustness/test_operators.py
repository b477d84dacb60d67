"""Every operator and function at the edges of its arguments: the same bits on every target.

All cases are statements of one group, so that each target compiles once. The mirror takes part with
PyTorch and with compiled C++.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pytest
import torch
from brian2 import Network, NeuronGroup, prefs, second
from numpy.typing import NDArray

from bioae.arithmetic import brian2_arithmetic, rendered_statement
from bioae.equations import lower
from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.grammar import SUPPORTED
from bioae.equations.operators import inexact
from bioae.equations.program import Program
from bioae.simulation.backend import Target
from bioae.simulation.targets.activation import activated
from bioae.simulation.targets.compiling import compile_project
from bioae.trainers.mirror.compiled.build import compile_cpp
from bioae.trainers.mirror.compiled.cpp import FORMS, head, kind_of, name_of
from bioae.trainers.mirror.compiled.graph import Graph, Symbol, symbol
from bioae.trainers.mirror.compiled.layer import _functions
from bioae.trainers.mirror.functions import torch_functions

Arrays = Mapping[str, NDArray[Any]]

EDGES = [
    0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.5, -2.5, 3.0, -7.0, 0.1, 0.3, 0.7, 5e-324,
    -5e-324, 1e-310, 2.0**31, -(2.0**31), 2.0**31 - 1, 2.0**31 - 0.5, 2.0**53, 1e300, -1e300,
    np.inf, -np.inf, np.nan,
]  # fmt: skip
INTEGERS = [0, 1, -1, 2, 3, -3, 7, 10, 100, 2**24 + 1, 46341, 2**31 - 1, -(2**31)]

#: Statements whose results are the same to the last bit. The kinds of k and u are those below.
EXACT = [
    *(f"r = a {op} b" for op in ("+", "-", "*", "/", "%", "//")),
    *(f"r = int(a {op} b)" for op in ("<", "<=", ">", ">=", "==", "!=")),
    *(f"r = {name}(a)" for name in ("abs", "ceil", "floor", "int", "sign", "sqrt")),
    "r = -a", "r = +a", "r = a**2", "r = a**0.5", "r = a**-1", "r = a**2.0 + b",
    "r = clip(a, b, 1)", "r = clip(a, -1, b)", "r = clip(0.5, a, b)", "r = clip(b, a, -a)",
    "r = timestep(a*second, 0.001*second)",
    "r = timestep(a*second, b*second)", "r = a % 0.005", "r = a // 0.005",
    "r = a/16777217", "r = 16777217/a", "r = 3000000000/a", "r = 3000000001*a",
    *(f"r = n {op} m" for op in ("+", "-", "*", "/", "%", "//")),
    *(f"r = {name}(n)" for name in ("abs", "ceil", "floor", "int", "sign", "sqrt")),
    "r = n/10", "r = int(n/10 >= 0.7)", "r = 1/n", "r = 16777217/n", "r = n**2", "r = n*n*n",
    "r = a/n", "r = n/a", "r = a % n", "r = n // a", "r = -n/3", "r = (n + m)/3", "r = i/(n + 3)",
    "r = clip(n, m, 5)", "r = n % 2147483647", "r = timestep(n*second, 3*second)",
    "r = int(p)/3", "r = p/3", "r = p*a - q", "r = (a > b)/3", "r = abs(p)/3", "r = int(p and q)",
    "r = int(not p or q)", "r = int((n % 2 == 0) != p)", "r = int(p) // 2 % 3", "r = p",
    "k = a", "k = n*n", "k = n + m", "k = n // m", "k = p", "k = a*n", "k += n", "k = 3.7*p",
    "u = a", "u = p and n > 2", "u = n", "u = a > b",
    "w = p; r = w/3", "w = int(a); r = w/3", "w = n; r = w/7",
    "r = floor(a/0.1)*0.1", "r = a - b*floor(a/b)", "r = sign(a - b)*sqrt(abs(a*b))",
]  # fmt: skip

#: Those that a mathematical library computes; at arguments where they are well conditioned.
LIBRARY = [
    f"r = {name}(c)" for name in sorted(SUPPORTED) if SUPPORTED[name] == 1 and name != "int"
] + ["r = c**3", "r = 2**c", "r = (1 + c)**b"]


def program_of(statements: list[str]) -> Program:
    """Return the statements as a program, each with its own target ``r0``, ``k1``, ..."""
    lines, declared = [], ["a : 1", "b : 1", "c : 1", "n : integer", "m : integer"]
    declared += ["p : boolean", "q : boolean", "v : 1"]
    for number, text in enumerate(statements):
        for line in text.split("; "):
            target, _, value = line.partition(" ")
            kind = {"k": "integer", "u": "boolean"}.get(target, "1")
            if target != "w":
                declared.append(f"{target}{number} : {kind}")
            value = value.replace("w/", f"w{number}/")
            lines.append(f"{target}{number} {value}")
    fields = {"equations": "\n".join(declared), "run_regularly": "\n".join(lines)}
    others = {"description": "Operators.", "input": "v", "threshold": "v > 1"}
    return lower(builders.model(fields | others))


def values_of() -> Arrays:
    """Return the arguments: all pairs of edges, of which each neuron has one."""
    pairs = list(product([*EDGES, *(k * 1e-3 for k in range(40))], [*EDGES, 0.005]))
    whole = list(product(INTEGERS, INTEGERS))
    size = len(pairs)
    a, b = np.array(pairs).T
    n, m = np.array([whole[k % len(whole)] for k in range(size)]).T
    return {
        "a": a, "b": b, "c": np.linspace(-0.99, 0.99, size), "n": n, "m": m,
        "p": np.arange(size) % 2 == 0, "q": np.arange(size) % 3 == 0,
    }  # fmt: skip


def constants_of(program: Program) -> Mapping[str, float]:
    functions = array_functions(np)
    values: dict[str, Any] = {}
    with np.errstate(all="ignore"):
        for name, expression in program.constants.items():
            values[name] = np.asarray(compile_expression(expression, functions)(values))
    return {name: float(value) for name, value in values.items()}


def on_arrays(program: Program, values: Arrays, xp: Any, functions: Any) -> dict[str, Any]:
    """Return the results on arrays of NumPy or tensors."""
    made = {**values, **constants_of(program), "i": np.arange(len(values["a"]))}
    arrays = {
        name: xp.asarray(np.asarray(value, bool if name in "pq" else float))
        for name, value in made.items()
    }
    for name, state in program.states.items():
        zero = np.zeros(len(values["a"]), bool if state.dtype == "boolean" else float)
        arrays.setdefault(name, xp.asarray(zero))
    with np.errstate(all="ignore"):
        for each in program.regularly:
            arrays[each.target] = compile_expression(each.value, functions)(arrays)
    return {name: np.asarray(arrays[name]) for name in targets(program)}


def compiled(program: Program, values: Arrays) -> dict[str, Any]:
    """Return the results of the C++ of the compiled mirror."""
    graph = Graph()
    size = len(values["a"])
    symbols: dict[str, Any] = {
        name: Symbol(graph, graph.leaf(name, "condition" if name in "pq" else "number"))
        for name in (*values, "i", "k")
    }
    symbols |= {n: Symbol(graph, graph.literal(v)) for n, v in constants_of(program).items()}
    for name, state in program.states.items():
        start = False if state.dtype == "boolean" else 0.0
        symbols.setdefault(name, Symbol(graph, graph.literal(start)))
    functions = {**torch_functions(torch.float64), **_functions(graph)}
    for each in program.regularly:
        symbols[each.target] = symbol(graph, compile_expression(each.value, functions)(symbols))
    ends = {name: symbols[name].node for name in targets(program)}
    leaves = {**values, "i": np.arange(size), "k": np.zeros(size)}
    lines = []
    for node in graph.reached(ends.values()):
        if node.operation == "leaf":
            value = f"in[{[*leaves].index(node.text)}][j]" + " != 0" * (node.kind == "condition")
        elif node.operation == "literal":
            continue
        else:
            value = FORMS[node.operation].format(*map(name_of, node.arguments))
        lines.append(f"const {kind_of(node)} {name_of(node)} = {value};")
    lines += [f"out[{k}][j] = R({name_of(node)});" for k, node in enumerate(ends.values())]
    library = compile_cpp(
        head("double") + 'extern "C" void run(long n, const R* const* in, R* const* out) {'
        "for (long j = 0; j < n; ++j) {" + "\n".join(lines) + "}}"
    )
    inputs = [np.ascontiguousarray(array, dtype=float) for array in leaves.values()]
    outputs = [np.empty(size) for _ in ends]
    pointers = partial(map, lambda array: ctypes.c_void_p(array.ctypes.data))
    library.run(
        ctypes.c_long(size),
        (ctypes.c_void_p * len(inputs))(*pointers(inputs)),
        (ctypes.c_void_p * len(outputs))(*pointers(outputs)),
    )
    return dict(zip(ends, outputs, strict=True))


def on_brian2(program: Program, values: Arrays, target: Target, folder: Path) -> dict[str, Any]:
    """Return the results of one step of a group."""
    with activated(target) as device:
        group = NeuronGroup(
            len(values["a"]), program.model.equations,
            namespace={**brian2_arithmetic(), **constants_of(program)}, dt=1e-3 * second,
            name="operators",
        )  # fmt: skip
        for name, array in values.items():
            group.variables[name].set_value(array)
        code = "\n".join(
            str(rendered_statement(each, program.integers)) for each in program.regularly
        )
        runner = group.run_regularly(code, name="operators_run")
        runner.check_units = False
        with np.errstate(all="ignore"):
            Network(group).run(1e-3 * second, namespace={})
        if target == "cpp_standalone":
            compile_project(device, folder)
            device.run(with_output=False)
        return {
            name: np.array(group.variables[name].get_value(), float) for name in targets(program)
        }


def targets(program: Program) -> list[str]:
    """Return the results' names, in the order of their statements."""
    numbered = {int(name[1:]): name for name in program.states if name[1:].isdigit()}
    return [numbered[number] for number in sorted(numbered)]


def differing(one: NDArray[Any], two: NDArray[Any]) -> NDArray[Any]:
    """Return where two arrays differ in a bit; all NaN count as one."""
    one, two = np.broadcast_arrays(np.asarray(one, float), np.asarray(two, float))
    nan = np.isnan(one) & np.isnan(two)
    return (
        np.ascontiguousarray(one).view(np.int64) != np.ascontiguousarray(two).view(np.int64)
    ) & ~nan


def compare(
    statements: list[str], expected: dict[str, Any], found: dict[str, Any], values: Arrays
) -> list[str]:
    """Return the statements whose results differ, with an example of each."""
    assert len(found) == len(expected) == len(statements)
    wrong = []
    for text, (name, array) in zip(statements, found.items(), strict=True):
        places = np.flatnonzero(differing(array, expected[name]))
        if len(places):
            at = places[0]
            arguments = {name: each[at] for name, each in values.items()}
            pair = np.broadcast_to(array, (at + 1,))[at] if array.ndim == 0 else array[at]
            wrong.append(f"{text}: {pair} for {expected[name][at]}, {len(places)}, {arguments}")
    return wrong


@pytest.fixture(autouse=True)
def as_in_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prefs, "codegen.loop_invariant_optimisations", False)


def runs(names: list[str], program: Program, values: Arrays, folder: Path) -> dict[str, Any]:
    makers: dict[str, Any] = {
        "torch": lambda: on_arrays(program, values, torch, torch_functions(torch.float64)),
        "compiled": lambda: compiled(program, values),
    }
    return {
        name: makers[name]() if name in makers else on_brian2(program, values, name, folder)  # type: ignore[arg-type]
        for name in names
    }


def test_every_target_gives_the_same_bits(tmp_path: Path) -> None:
    builders.need("cpp_standalone")
    names = ["torch", "compiled", "numpy", "cython", "cpp_standalone"]
    program, values = program_of(EXACT), values_of()
    assert program.reproducible, program.inexact
    expected = on_arrays(program, values, np, array_functions(np))
    assert sum(np.isfinite(array).any() for array in expected.values()) == len(EXACT)
    wrong = [
        f"{name}: {each}"
        for name, found in runs(names, program, values, tmp_path).items()
        for each in compare(EXACT, expected, found, values)
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_of_libraries_differ_by_little(tmp_path: Path, quick_compiler: None) -> None:
    builders.need("cpp_standalone")
    program, values = program_of(LIBRARY), values_of()
    values = {**values, "b": np.linspace(-3, 3, len(values["b"]))}
    assert len(program.inexact) == len(LIBRARY) - 2 - 5
    expected = on_arrays(program, values, np, array_functions(np))
    for found in runs(["torch", "compiled", "numpy"], program, values, tmp_path).values():
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-13, atol=1e-300)


def test_every_operation_is_in_the_table() -> None:
    import ast

    nodes = [node for text in (*EXACT, *LIBRARY) for node in ast.walk(ast.parse(text))]
    called = {node.func.id for node in nodes if isinstance(node, ast.Call)}  # type: ignore[attr-defined]
    assert called == set(SUPPORTED)
    operators = {type(node.op) for node in nodes if isinstance(node, ast.BinOp)}
    assert operators == {
        ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow
    }  # fmt: skip
    inexactly = {name for node in nodes if (name := inexact(node))}
    exact = {n for n in SUPPORTED if any(f"= {n}(" in text for text in EXACT)}
    assert inexactly == {"**", *SUPPORTED} - exact
