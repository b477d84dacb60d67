"""Generate `operators.md`, the page on operators and functions, from the code that computes them.

python docs/make_operators.py
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

import marked
import numpy as np

from bioae.equations.arrays.compiling import compile_expression
from bioae.equations.arrays.functions import array_functions
from bioae.equations.expressions import Expression
from bioae.equations.grammar import SUPPORTED
from bioae.equations.operators import inexact
from bioae.showing import markdown_table

PAGE = Path(__file__).with_name("operators.md")


class Row(NamedTuple):
    """An operator or function: its form, its definition, and expressions at the edges."""

    form: str
    meaning: str
    edges: tuple[str, ...] = ()


#: Values that expressions of the page name.
NAMES = {"inf": np.inf, "nan": np.nan}

ROWS = (
    Row("a + b", "sum; `-` and `*` likewise", ("0.1 + 0.2", "inf - inf", "0*inf")),
    Row("a / b", "quotient, also of integers", ("1/3", "1/0", "-1/0", "0/0")),
    Row(
        "a % b",
        "remainder with the sign of `b`, exact",
        ("-1 % 3", "5.5 % -2", "0.3 % 0.1", "1 % inf", "-1 % inf", "1 % 0", "inf % 1"),
    ),
    Row(
        "a // b",
        "floor of the exact quotient, rounded to the next integer",
        ("-7 // 2", "1 // 0.1", "1 // 0", "-1 // 0", "0 // 0", "inf // 1", "1 // -inf"),
    ),
    Row("a**2", "product `a*a`; `a**0.5` is `sqrt(a)`, `a**-1` is `1/a`", ("0**-1", "(-2)**0.5")),
    Row("a**b", "power, with any other exponent", ("0**0.1", "(-2)**3", "(-2)**0.3", "nan**0")),
    Row("a < b", "comparison; NaN compares as false, except by `!=`", ("int(nan == nan)",)),
    Row("abs(a)", "magnitude", ("abs(-inf)",)),
    Row("ceil(a)", "next integer above, not limited to 32 bits", ("ceil(-1.5)", "ceil(1e300)")),
    Row("floor(a)", "next integer below, not limited to 32 bits", ("floor(-1.5)", "floor(nan)")),
    Row(
        "int(a)",
        "integer towards zero, or 1 and 0 of a condition; NaN, and what 32 bits cannot hold, "
        "become the least integer",
        ("int(-1.5)", "int(2.0**31 - 1)", "int(2.0**31)", "int(inf)", "int(nan)"),
    ),
    Row("sign(a)", "-1, 0 or 1", ("sign(-0.5)", "sign(-0.0)", "sign(nan)")),
    Row(
        "clip(a, low, high)",
        "the smaller of `high` and the larger of `a` and `low`: of crossed bounds, `high`",
        ("clip(0.5, 2, 1)", "clip(5, 2, 1)", "clip(nan, 0, 1)", "clip(1, 0, nan)"),
    ),
    Row("sqrt(a)", "square root", ("sqrt(-1)", "sqrt(inf)")),
    Row("timestep(t, dt)", "`(t + dt/1000)/dt`, towards zero", ("timestep(0.3, 0.1)",)),
    Row("exp(a)", "exponential", ("exp(710)", "exp(-inf)")),
    Row("expm1(a)", "`exp(a) - 1` without cancellation", ("expm1(-inf)",)),
    Row(
        "exprel(a)",
        "`(exp(a) - 1)/a`; its derivatives have no cancellation near 0 either",
        ("exprel(0)", "exprel(-inf)", "exprel(inf)"),
    ),
    Row("log(a)", "natural logarithm", ("log(0)", "log(-1)")),
    Row("log10(a)", "decimal logarithm", ("log10(0)",)),
    Row("log1p(a)", "`log(1 + a)` without cancellation", ("log1p(-1)", "log1p(-2)")),
    Row("sin(a)", "sine", ("sin(inf)",)),
    Row("cos(a)", "cosine", ("cos(inf)",)),
    Row("tan(a)", "tangent"),
    Row("arcsin(a)", "inverse sine", ("arcsin(2)",)),
    Row("arccos(a)", "inverse cosine", ("arccos(2)",)),
    Row("arctan(a)", "inverse tangent"),
    Row("sinh(a)", "hyperbolic sine", ("sinh(1000)",)),
    Row("cosh(a)", "hyperbolic cosine", ("cosh(1000)",)),
    Row("tanh(a)", "hyperbolic tangent", ("tanh(inf)",)),
)

_HEAD = """\
# Operators and functions

<!-- written by docs/make_operators.py -->

Operators and functions of a model's equations, and which of them give the same bits everywhere: on
the targets `numpy`, `cython`, `cpp_standalone` and `cuda_standalone`, and in the mirror, compiled
or not.

- **exact**: the same bits in float64, also at infinities, NaN and crossed bounds. A model of such
  operations alone has [exact parity](parity.md).
- **last bit**: computed by a mathematical library, and the last bits depend on it.
"""

_FOOT = """
`rand()`, `randn()` and `xi` are exact: bioae generates [the noise](neuron-models.md#noise),
the same bits on every target.

## Integers and conditions

- Integers are computed with as floating-point numbers of 64 bits, and stored in 32: `n/10` is not
  rounded, and `n*n` does not overflow. Where the stored result exceeds 32 bits, it is -2147483648;
  in Brian2 alone it would wrap around.
- A condition in arithmetic is 1 or 0: `v*(w > 1)` in a threshold or in statements. In equations
  write `v*int(w > 1)`, as in Brian2.
- As in Brian2, `//` needs numbers without unit, and `%` two of the same unit, as `t % (5*ms)` has.

## Gradients

Training differentiates each operation exactly. The derivative of `a % b` is 1 with respect to `a`
and `-(a // b)` with respect to `b`. Steps have the derivative 0: `//`, `int`, `floor`, `ceil`,
`sign`, `timestep` and conditions.

`tests/robustness/test_operators.py` compares all of this on every target.
"""


def page() -> str:
    """Return the page."""
    head = ["expression", "result", "class", "at the edges"]
    return f"{_HEAD}\n{markdown_table(head, map(_cells, ROWS))}\n{_FOOT}"


def described() -> set[str]:
    """Return the functions that the page describes."""
    calls = (node for row in ROWS for node in ast.walk(ast.parse(row.form, mode="eval")))
    return {ast.unparse(node.func) for node in calls if isinstance(node, ast.Call)}


def _cells(row: Row) -> tuple[str, ...]:
    kind = "last bit" if inexact(ast.parse(row.form, mode="eval").body) else "exact"
    edges = ", ".join(f"`{text}` is {_value(text)}" for text in row.edges)
    return f"`{row.form}`", row.meaning, kind, edges


def _value(text: str) -> str:
    function = compile_expression(Expression(text), array_functions(np))
    with np.errstate(all="ignore"):
        value = float(function({name: np.asarray(number) for name, number in NAMES.items()}))
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    return f"{value:.17g}" if value == int(value) and abs(value) < 1e15 else repr(value)


def main() -> None:
    """Write the page."""
    missing = SUPPORTED.keys() - described()
    if missing:
        raise SystemExit(f"make_operators.py describes no {', '.join(sorted(missing))}")
    marked.write(PAGE, page())


if __name__ == "__main__":
    main()
