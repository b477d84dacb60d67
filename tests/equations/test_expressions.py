"""Expressions: evaluated as in Brian2, and unchanged by hoisting constants."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from brian2 import ms, mV, nA, units
from brian2.core.functions import DEFAULT_FUNCTIONS
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refused

from bioae.equations import Expression, Statement
from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.assignments import parse_assignments
from bioae.equations.grammar import SUPPORTED
from bioae.equations.lowering.hoisting import Hoist
from bioae.equations.quantities import constants, evaluate, time_in_seconds, unit_name
from bioae.errors import InputError, ModelError

VALUES: dict[str, NDArray[Any]] = {
    "v": np.array([-1.5, 0.0, 0.25, 3.0]), "u": np.array([0.5, -2.0, 1.0, 4.0]),
    "tau": np.asarray(0.02), "theta": np.array([1.0, 1.5, -0.5, 2.0]), "dt": np.asarray(1e-3),
    "not_refractory": np.array([True, False, True, False]),
}  # fmt: skip
CONSTANT = {"tau", "theta", "dt"}

numbers = st.sampled_from(["0.5", "2", "3.0", "0.001", "7"])
leaves = st.one_of(
    numbers, st.sampled_from(["v", "u", "tau", "theta", "dt", "int(not_refractory)", "ms", "q"])
)
arithmetic = st.sampled_from(["+", "-", "*", "/", "%", "//"])
functions = st.sampled_from(["exp", "tanh", "abs", "floor"])
comparison = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds(lambda a, op, b: f"({a}) {op} ({b})", parts, arithmetic, parts),
        st.builds(lambda a: f"-({a})", parts),
        st.builds(lambda f, a: f"{f}({a})", functions, parts),
        st.builds(lambda a, b, c: f"clip({a}, {b}, {c})", parts, numbers, parts),
        st.builds(lambda a, op, b: f"int(({a}) {op} ({b}))", parts, comparison, parts),
        st.builds(
            lambda a, b, c: f"int(({a}) > ({b}) and not ({b}) <= ({c}) or ({a}) == 0)",
            parts, parts, parts,
        ),
        st.builds(lambda a, n: f"({a})**{n}", parts, st.sampled_from(["2", "3", "-1"])),
    )  # fmt: skip


def value_of(expression: Expression, values: dict[str, Any]) -> NDArray[Any]:
    function = compile_expression(expression, array_functions(np))
    with np.errstate(all="ignore"):
        value = function(values)
    return np.broadcast_to(np.asarray(value, dtype=float), (4,))


@given(st.recursive(leaves, larger, max_leaves=12))
def test_hoisting_constants_changes_no_bit(expression: str) -> None:
    hoist = Hoist(CONSTANT, {"ms": 1e-3}, {"q": Expression("v*y"), "y": Expression("theta + u")})
    taken = hoist(Expression(expression))
    values, finite = dict(VALUES), np.full(4, fill_value=True)
    for name, constant in hoist.constants.items():
        value = value_of(constant, values)
        if name.startswith("bioae_r"):
            value = np.where(np.isfinite(value), value, 0.0)
        else:
            finite &= np.isfinite(value)
        values[name] = value
    plain = expression.replace("q", "(v*(theta + u))").replace("ms", "0.001")
    expected = value_of(Expression(plain), VALUES)
    active = VALUES["not_refractory"]
    result = value_of(taken, values)
    # A refractory neuron's 1/0 is not kept: nothing may write it. Nor is anything beside an
    # infinite constant of active neurons, from which a model has no states.
    kept = active | (np.isfinite(expected) & finite)
    np.testing.assert_array_equal(result[kept], expected[kept])


@pytest.mark.parametrize("operation", ["0.5/0", "1//0", "1 % 0", "0**-1", "10.0**400"])
@pytest.mark.parametrize("form", ["{}", "tau + {}", "int(tau > {})", "exp(tau*({}))"])
def test_numbers_that_python_refuses_are_infinite(form: str, operation: str) -> None:
    """A refractory neuron's constants contain them, and it ignores their values."""
    value = value_of(Expression(form.format(operation)), VALUES)
    assert value.shape == (4,)
    assert form == "int(tau > {})" or not np.isfinite(value).any()


@pytest.mark.parametrize("name", sorted(set(SUPPORTED) - {"clip", "timestep", "int"}))
def test_functions_are_brian2s(name: str) -> None:
    x = np.array([-0.9, -0.25, 0.0, 0.5, 0.75])
    theirs = DEFAULT_FUNCTIONS[name]
    with np.errstate(all="ignore"):
        expected = np.asarray(theirs(x))
        result = array_functions(np)[name](x)
    assert np.isfinite(expected).any()
    # Brian2's exprel is SciPy's, which uses another series near 0.
    tolerance = 1e-15 if name == "exprel" else 0
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=0)


def test_functions_of_several_arguments_are_brian2s() -> None:
    x = np.array([-1.7, -0.2, 0.4, 2.9])
    ours = array_functions(np)
    np.testing.assert_array_equal(ours["clip"](x, -1, 1), DEFAULT_FUNCTIONS["clip"](x, -1, 1))
    np.testing.assert_array_equal(ours["int"](x), DEFAULT_FUNCTIONS["int"](x))
    np.testing.assert_array_equal(ours["int"](x > 0), [0.0, 0.0, 1.0, 1.0])
    times = np.arange(50) * 1e-4
    np.testing.assert_array_equal(ours["timestep"](times, np.asarray(1e-4)), np.arange(50))


QUANTITIES = st.sampled_from(
    ["1", "2.5", "20*ms", "0.4*nA", "mV", "3*mV/ms", "exp(1)", "pi", "4**0.5", "tau", "Mohm"]
)


@given(QUANTITIES, st.sampled_from("+-*/"), QUANTITIES)
def test_quantities_are_brian2s(left: str, sign: str, right: str) -> None:
    functions = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
    names = {**constants(), **DEFAULT_FUNCTIONS, "tau": 20 * ms}
    a, b = (eval(text, {}, names) for text in (left, right))
    text = f"({left}) {sign} ({right})"
    try:
        expected = functions[sign](a, b)
    except units.DimensionMismatchError:
        with refused(InputError, where="here"):
            evaluate(text, {"tau": 20 * ms}, where="here")
        return
    result = evaluate(text, {"tau": 20 * ms}, where="here")
    assert units.have_same_dimensions(result, expected)
    assert float(result) == float(expected)


def test_required_dimensions() -> None:
    assert float(evaluate("0.4*nA", dimensions_of=nA, where="here")) == float(0.4 * nA)
    with refused(ModelError, "'MS'", where="here", expected="a unit"):
        time_in_seconds("2*MS", where="here", error=ModelError)
    with refused(ModelError, "'1*mV'", where="here", expected="second"):
        evaluate("1*mV", dimensions_of=ms, where="here", error=ModelError)
    assert time_in_seconds("250*us", where="here") == 250e-6
    for text in ("0*ms", "-1*ms", "inf*ms"):
        with refused(InputError, where="here", found=text):
            time_in_seconds(text, where="here")
    assert [unit_name(q) for q in (1, 3 * mV, 2 * ms)] == ["1", "volt", "second"]


def test_statements_are_written_out() -> None:
    code = "  v -= w*(1 + u)  # one; two\n\n u = (1 +\n      2); w %= u + 1"
    written = [(a.target, a.value.text) for a in parse_assignments(code, where="here")]
    assert written == [
        ("v", "v - w * (1 + u)"), ("u", "1 + 2"), ("w", "w % (u + 1)"),
    ]  # fmt: skip
    for code in ("w **= 2", "w //= 2"):  # Brian2 has none
        with refused(ModelError, where="here", found=repr(code)):
            list(parse_assignments(code, where="here"))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("v + a*b", "v += a * b"), ("v - (a - b)", "v -= a - b"), ("v*(a + b)", "v *= a + b"),
        ("v/a", "v /= a"), ("v + a + b", "v = v + a + b"), ("a + v", "v = a + v"),
        ("v**2", "v = v**2"),
    ],
)  # fmt: skip
def test_statements_add_in_place_where_they_add_one_term(value: str, line: str) -> None:
    """Brian2 rewrites ``v = v + a + b``, so that it rounds otherwise, but not ``v += a + b``."""
    assert str(Statement("v", Expression(value))) == line


@pytest.mark.parametrize(
    "text",
    ["a =", "", "a\0", "(" * 150 + "a", " + ".join(["a"] * 3000), "-" * 100_000 + "a"],
    ids=lambda text: text[:12],
)
def test_what_cannot_be_read_ends_in_a_line(text: str) -> None:
    uses: list[Callable[[Expression], object]] = [
        lambda each: each.tree,
        lambda each: each.rewritten(ast.NodeTransformer()),
        lambda each: each.substituted({"a": Expression("b")}),
    ]
    for use in uses:
        with refused(ModelError):
            use(Expression(text))
