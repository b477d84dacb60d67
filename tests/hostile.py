"""Hostile texts, put into every field of a neuron model."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from bioae.equations import NeuronModel, lower
from bioae.errors import ModelError

LIF: dict[str, Any] = {
    "description": "A model of the tests.", "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > theta", "reset": "v = 0", "method": "euler", "input": "v",
    "parameters": {"tau": "20*ms", "theta": "1"},
}  # fmt: skip


def _equation(method: str | None) -> Callable[[str], dict[str, Any]]:
    return lambda text: {"equations": f"dv/dt = -v/tau*({text}) : 1", "method": method}


#: Every field that holds an expression, with the changes of a LIF that put a text there.
FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "equation": _equation("euler"), "equation, exact": _equation("exact"),
    "equation, exponential Euler": _equation("exponential_euler"),
    "equation, any method": _equation(None),
    "subexpression": lambda text: {"equations": f"dv/dt = -v/tau : 1\nx = {text} : 1"},
    "unit": lambda text: {"equations": f"dv/dt = -v/tau : 1\nx : {text}"},
    "threshold": lambda text: {"threshold": f"v > {text}"},
    "reset": lambda text: {"reset": f"v = {text}"},
    "exponent": lambda text: {"reset": f"v = v**({text})"},
    "refractory": lambda text: {"refractory": f"({text})*ms"},
    "parameter": lambda text: {"parameters": {**LIF["parameters"], "theta": text}},
    "initial": lambda text: {"initial": {"v": text}},
    "settle": lambda text: {"initial": {"settle": f"({text})*ms"}},
    "weight": lambda text: {"weight": text}, "dt": lambda text: {"dt": f"({text})*ms"},
    "distance": lambda text: {"surrogate": {"distance": f"v - ({text})", "scale": "1"}},
    "scale": lambda text: {"surrogate": {"distance": "v - 1", "scale": text}},
    "trainable": lambda text: {"trainable": {"theta": ["0.5", text]}},
    "event": lambda text: {"events": {"a": {"condition": f"v > {text}", "reset": "v = 0"}}},
    "event's reset": lambda text: {"events": {"a": {"condition": "v > 1", "reset": f"v = {text}"}}},
    "run_regularly": lambda text: {"run_regularly": f"v = v + {text}"},
}  # fmt: skip


def outcome(changes: dict[str, Any]) -> ModelError | None:
    """Lower a LIF with some keys changed; return the error that refused it, or None.

    Raises
    ------
    Exception
        Whatever is not a `ModelError` in one line, a warning included.
    """
    fields = {key: text for key, text in {**copy.deepcopy(LIF), **changes}.items() if text}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", DeprecationWarning)  # brian2 uses pyparsing's old names
        refusal = None
        try:
            lower(NeuronModel.from_mapping("mine", fields, where="mine.toml"))
        except ModelError as error:
            refusal = error
    line = str(refusal)
    assert "\n" not in line
    assert len(line) < 3000
    assert not caught, caught[0].message
    return refusal


_LEAVES = st.sampled_from(
    [
        "v", "theta", "tau", "dt", "t", "i", "N", "1", "2", "0", "9", "0.5", "1e308", "1e-99", "99",
        "volt", "ms", "pi", "e", "inf", "True", "rand()", "xi", "9**9", "(-1)", "2**31", "E", "zoo",
        "oo", "nan", "spikespace", "_spikespace", "int", "v\u200b", "1j", "0x" + "f" * 9000,
        "9" * 400, "a" * 5000, "lastspike", "not_refractory", "1 # one", "'1'", "[1]", "v.real",
    ]
)  # fmt: skip
_BINARY = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", "==", " and ", " or "])
_UNARY = st.sampled_from(
    ["-({})", "not ({})", "exp({})", "log({})", "sqrt({})", "int({})", "abs({})", "sin({})",
     "clip({0}, 0, {0})", "({0})**({0})", "({0})*({0})", "({0})+sin({0})", "exprel({})",
     "timestep({}, dt)", "({})**99", "f({})"]
)  # fmt: skip


def _repeated(text: str, wrap: str, times: int) -> str:
    for _ in range(times):
        if len(text) < 30_000:
            text = wrap.format(text)
    return text


def _larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({}){}({})".format, parts, _BINARY, parts),
        st.builds("{}{}{}".format, parts, _BINARY, parts),
        st.builds(_repeated, parts, _UNARY, st.sampled_from([1, 1, 2, 10, 80])),
    )


#: Expressions that may be anything but harmless.
EXPRESSIONS = st.recursive(_LEAVES, _larger, max_leaves=8)
