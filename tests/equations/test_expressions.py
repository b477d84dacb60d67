"""Expressions: evaluated as Brian2 evaluates them, and unchanged by taking constants out."""

from __future__ import annotations

import ast
import operator
from typing import Any

import numpy as np
import pytest
from brian2 import get_unit, ms, mV, nA, units
from brian2.core.functions import DEFAULT_FUNCTIONS
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae.equations.arrays.emission import compile_statements
from bioae.equations.arrays.functions import SUPPORTED, array_functions
from bioae.equations.lowering.hoisting import Hoist
from bioae.equations.program import Statement
from bioae.equations.quantities import constants, evaluate, time_in_seconds, unit_name
from bioae.equations.syntax import names_in, parse_expression, parse_statements
from bioae.errors import InputError, ModelError

VALUES: dict[str, NDArray[Any]] = {
    "v": np.array([-1.5, 0.0, 0.25, 3.0]),
    "u": np.array([0.5, -2.0, 1.0, 4.0]),
    "tau": np.asarray(0.02),
    "theta": np.array([1.0, 1.5, -0.5, 2.0]),
    "dt": np.asarray(1e-3),
    "not_refractory": np.array([True, False, True, False]),
}
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


expressions = st.recursive(leaves, larger, max_leaves=12)


def value_of(expression: str, values: dict[str, Any]) -> NDArray[Any]:
    names = sorted(names_in(expression))
    function = compile_statements(
        [Statement("_value", expression)], names, ["_value"], array_functions(np)
    )
    with np.errstate(all="ignore"):
        (value,) = function(*(values[name] for name in names))
    return np.broadcast_to(np.asarray(value, dtype=float), (4,))


@given(expressions)
def test_taking_constants_out_changes_no_bit(expression: str) -> None:
    hoist = Hoist(CONSTANT, {"ms": 1e-3}, {"q": "v*y", "y": "theta + u"})
    taken = hoist(expression)
    values = dict(VALUES)
    for name, text in hoist.constants.items():
        value = value_of(text, values)
        if name.startswith("bioae_r"):
            value = np.where(np.isfinite(value), value, 0.0)
        values[name] = value
    plain = expression.replace("q", "(v*(theta + u))").replace("ms", "0.001")
    expected = value_of(plain, VALUES)
    active = VALUES["not_refractory"]
    found = value_of(taken, values)
    # A refractory neuron's 1/0 is not kept: nothing may write it.
    kept = active | np.isfinite(expected)
    np.testing.assert_array_equal(found[kept], expected[kept])


def test_a_part_that_depends_on_refractoriness_alone_becomes_two_constants() -> None:
    hoist = Hoist(CONSTANT, {}, {})
    taken = hoist("v*exp(-dt*int(not_refractory)/tau)/(1/int(not_refractory))")
    assert "exp" not in taken
    assert list(hoist.constants.values()) == ["exp(-dt * 1 / tau)", "exp(-dt * 0 / tau)"]


def test_conditions_are_left_where_they_are() -> None:
    """Brian2 takes no number where a condition must stand."""
    hoist = Hoist(CONSTANT, {}, {})
    taken = hoist("v > theta and (tau > 2*dt or not theta < 1)")
    tree = ast.parse(taken, mode="eval").body
    assert isinstance(tree, ast.BoolOp)
    assert all(isinstance(value, ast.Compare | ast.BoolOp) for value in tree.values)
    assert list(hoist.constants.values()) == ["2 * dt"]


@pytest.mark.parametrize("name", sorted(set(SUPPORTED) - {"clip", "timestep", "int"}))
def test_functions_are_brian2s(name: str) -> None:
    x = np.array([-0.9, -0.25, 0.0, 0.5, 0.75])
    theirs = DEFAULT_FUNCTIONS[name]
    with np.errstate(all="ignore"):
        expected = np.asarray(theirs(x))
        found = array_functions(np)[name](x)
    assert np.isfinite(expected).any()
    # Brian2's exprel is SciPy's, which has another series near 0.
    tolerance = 1e-15 if name == "exprel" else 0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0)


def test_functions_of_several_arguments_are_brian2s() -> None:
    x = np.array([-1.7, -0.2, 0.4, 2.9])
    ours = array_functions(np)
    np.testing.assert_array_equal(ours["clip"](x, -1, 1), DEFAULT_FUNCTIONS["clip"](x, -1, 1))
    np.testing.assert_array_equal(ours["int"](x), DEFAULT_FUNCTIONS["int"](x))
    np.testing.assert_array_equal(ours["int"](x > 0), [0.0, 0.0, 1.0, 1.0])
    times = np.arange(50) * 1e-4
    steps = ours["timestep"](times, np.asarray(1e-4))
    np.testing.assert_array_equal(steps, np.arange(50))


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
        with pytest.raises(InputError, match="has no value"):
            evaluate(text, {"tau": 20 * ms}, where="here")
        return
    found = evaluate(text, {"tau": 20 * ms}, where="here")
    assert units.have_same_dimensions(found, expected)
    assert float(found) == float(expected)


def test_wanted_dimensions() -> None:
    assert float(evaluate("0.4*nA", dimensions_of=nA, where="here")) == float(0.4 * nA)
    with pytest.raises(ModelError, match=r"^here: '1\*mV' has the wrong unit; expected second"):
        evaluate("1*mV", dimensions_of=ms, where="here", error=ModelError)
    assert time_in_seconds("250*us", where="here") == 250e-6
    for text in ("0*ms", "-1*ms", "inf*ms"):
        with pytest.raises(InputError, match="expected a positive time"):
            time_in_seconds(text, where="here")
    assert [unit_name(q) for q in (1, 3 * mV, 2 * ms)] == ["1", "volt", "second"]
    assert unit_name(mV / ms) == repr(get_unit((mV / ms).dim))


def test_statements_are_written_out() -> None:
    code = "  v -= w*(1 + u)  # one; two\n\n u = (1 +\n      2); w **= 2; w //= u + 1"
    written = [(t, ast.unparse(v)) for t, v in parse_statements(code, where="here")]
    assert written == [
        ("v", "v - w * (1 + u)"), ("u", "1 + 2"), ("w", "w ** 2"), ("w", "w // (u + 1)"),
    ]  # fmt: skip


@given(expressions)
def test_what_is_accepted_means_the_same_after_it_was_parsed(expression: str) -> None:
    parsed = ast.unparse(parse_expression(expression, where="here"))
    assume("q" not in names_in(expression) and "ms" not in names_in(expression))
    np.testing.assert_array_equal(value_of(parsed, VALUES), value_of(expression, VALUES))
