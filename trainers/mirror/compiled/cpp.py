"""The C++ of single operations and of the surrounding functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bioae.arithmetic import cpp_source
from bioae.trainers.mirror.compiled.graph import Node

_FUNCTIONS = (
    "exp", "expm1", "log", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin",
    "acos", "atan", "sqrt", "floor", "ceil", "trunc", "pow",
)  # fmt: skip

#: The form of each operation, with braces for its arguments.
FORMS = {
    **{name: f"std::{name}({{}})" for name in _FUNCTIONS},
    "pow": "std::pow({}, {})",
    "add": "{} + {}", "sub": "{} - {}", "mul": "{} * {}", "div": "{} / {}", "neg": "-{}",
    "lt": "{} < {}", "le": "{} <= {}", "gt": "{} > {}", "ge": "{} >= {}", "eq": "{} == {}",
    "ne": "{} != {}", "and": "bool({}) & bool({})", "or": "bool({}) | bool({})",
    "not": "!{}", "abs": "std::fabs({})", "isfinite": "std::fabs({}) <= MOST",
    "sign": "R({0} > 0) - R({0} < 0)", "square": "{0} * {0}", "reciprocal": "R(1) / {}",
    "where": "{} ? {} : {}", "clip": "smaller(larger({}, {}), {})",
    "minimum": "smaller({}, {})", "maximum": "larger({}, {})", "detach": "{}",
    "number": "{} ? R(1) : R(0)", "spike": "{0} ? R(1) : R(0)", "written": "{0} ? {2} : {3}",
    "through": "{1}", "moved": "{0}", "shifted": "R(0)",
    "exprel": "bioae_exprel({})", "exprel_slope": "exprel_slope({})",
    "floordiv": "bioae_floordiv({}, {})", "mod": "bioae_mod({}, {})",
}  # fmt: skip

_HEAD = """\
#include <algorithm>
#include <cmath>
#include <limits>
typedef {real} R;
{arithmetic}
static const R MOST = std::numeric_limits<R>::max();
// NaN propagates, as in PyTorch.
static inline R smaller(R a, R b) {{ return a != a ? a : b != b ? b : a < b ? a : b; }}
static inline R larger(R a, R b) {{ return a != a ? a : b != b ? b : a > b ? a : b; }}
// The derivative of exprel: by a series where the formula loses all digits, infinite where it
// would be inf - inf.
static inline R exprel_slope(R x) {{
  if (std::fabs(x) < 1) {{
    R sum = 0, factor = 1;
    for (int k = 0; k <= 20; ++k) {{ sum += factor / (k + 2); factor *= x / (k + 1); }}
    return sum;
  }}
  const R power = std::exp(x);
  return power > MOST ? R(INFINITY) : (power - bioae_exprel(x)) / x;
}}
"""

#: The functions of a step, in the order of the fields of ``Steps`` in ``templates/layer.cpp``.
FUNCTIONS = ("start", "fire", "step", "replay", "arriving", "backward")

#: Their argument: a block of neurons, from the neuron `first` of each example on. Arrays are
#: (example, neuron), those with two stars of several names; `more` has rows of `padded` numbers.
GROUP = """\
struct Group {
  long examples, size, padded, first, steps;
  const R *time, *const *par;
  R *carried, *spikes, *later;
  const R *const *in, *const *read, *const *every, *const *before, *more;
  R *const *out, *const *sums, *const *to;
};
"""


def head(real: str) -> str:
    """Return the beginning of the source for a type of numbers."""
    return _HEAD.format(real=real, arithmetic=cpp_source("R"))


def kind_of(node: Node) -> str:
    """Return the type of a node's value."""
    return "R" if node.kind == "number" else "bool"


def declared(node: Node, leaf: Callable[[Node], str], forms: Mapping[str, str] = FORMS) -> str:
    """Return the declaration of a node's value, that of a leaf by a function."""
    if node.operation == "literal":
        return ""
    if node.operation == "leaf":
        value = leaf(node)
    else:
        value = forms[node.operation].format(*map(name_of, node.arguments))
    return f"const {kind_of(node)} {name_of(node)} = {value};"


def name_of(node: Node) -> str:
    """Return the name of a node's value."""
    return f"({node.text})" if node.operation == "literal" else f"v{node.index}"
