"""Neuron models drawn over Brian2's language, each in a small network: valid by construction.

Every axis of the language is a choice. A model is put together from the texts of its choices, in
units of its threshold, so that it is right with and without physical units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from builders import dense, described, model
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae.equations import NeuronModel
from bioae.networks import Network
from bioae.random import stream
from bioae.trainers.parity.networks import scaled

UNITS, STEPS, EXAMPLES = 6, 40, 2

#: Names of a user's variable: those of functions and arguments of ours among them.
NAMES = ("active", "fn", "w_2", "mod", "number", "value", "rest", "step", "shown", "R", "sum", "j")

AXES: Mapping[str, tuple[str, ...]] = {
    "method": ("default", "exact", "linear", "independent", "euler", "exponential_euler", "rk2",
               "rk4", "heun", "milstein"),
    "curve": ("linear", "quadratic", "exponential", "tanh"),
    "synapse": ("delta", "exponential", "alpha", "double_exponential", "conductance",
                "conductances"),
    "noise": ("none", "additive", "multiplicative", "threshold", "held"),
    "subexpression": ("none", "plain", "nested", "held"),
    "variable": ("none", "integer", "boolean", "shared", "per_neuron"),
    "threshold": ("greater", "at_least", "mirrored", "negated", "both", "either"),
    "reset": ("value", "subtract", "several", "after_spike"),
    "arithmetic": ("none", "remainder", "floor", "division", "crossed", "rhythm", "truth"),
    "event": ("none", "integer"),
    "name": NAMES,
    "refractory": ("none", "time", "expression", "condition", "variable"),
    "unless_refractory": ("no", "yes"),
    "unit": ("1", "volt"),
    "recurrence": ("none", "others", "autapses"),
    "delay": ("none", "homogeneous", "per_connection"),
    "recurrent_delay": ("none", "homogeneous", "per_connection"),
    "schedule": ("brian2", "paper"),
    "dt": ("1*ms", "0.5*ms"),
}  # fmt: skip

#: What a method can integrate, where it is not everything.
_LINEAR = {"curve": ("linear",), "synapse": AXES["synapse"][:4]}
_SMOOTH = ("none", "threshold", "held")
_ADDITIVE = (*_SMOOTH, "additive")
_METHODS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "exact": {**_LINEAR, "noise": _SMOOTH},
    "linear": {**_LINEAR, "noise": _SMOOTH},
    "independent": {
        "curve": ("linear",),
        "synapse": ("delta",),
        "noise": _SMOOTH[:2],
        "subexpression": ("none",),
        "reset": AXES["reset"][:3],
    },
    "euler": {"noise": _ADDITIVE},
    "exponential_euler": {"curve": ("linear",), "noise": _SMOOTH},
    "rk2": {"noise": _SMOOTH},
    "rk4": {"noise": _SMOOTH},
}

_DELAYS: Mapping[str, Any] = {
    "none": None, "homogeneous": "2*ms", "per_connection": ("0*ms", "3*ms")
}  # fmt: skip

Choose = Callable[[str, tuple[str, ...]], str]


@dataclass
class Text:
    """A neuron model as it is put together."""

    equations: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    limit: list[str] = field(default_factory=lambda: ["theta"])
    reset: list[str] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A drawn model in a network of one layer, with its input.

    Attributes
    ----------
    choices
        What was chosen on each of `AXES`.
    """

    choices: Mapping[str, str]

    @cached_property
    def model(self) -> NeuronModel:
        """The neuron model."""
        text = Text()
        for axis, write in _WRITERS.items():
            write(text, self.choices[axis])
        guard = " (unless refractory)" if self.choices["unless_refractory"] == "yes" else ""
        v = f"dv/dt = ({' + '.join(text.current)})/tau : unit{guard}"
        equations = "\n".join([v, *text.equations]).replace("unit", self.choices["unit"])
        fields = {
            "description": "Drawn at random.",
            "equations": equations,
            "threshold": _THRESHOLDS[self.choices["threshold"]].format(" + ".join(text.limit)),
            "reset": "\n".join(text.reset),
            "parameters": {
                "tau": "10*ms", "tau_s": "4*ms", "tau_d": "7*ms", "t_ref": "1*ms",
                "theta": "1" if self.choices["unit"] == "1" else "15*mV",
                **({"bias": "0.1*theta"} if self.choices["variable"] == "per_neuron" else {}),
            },
            **text.keys,
        }  # fmt: skip
        return model(fields, "drawn")

    @cached_property
    def network(self) -> Network:
        """The network, its weights scaled until at least half of the neurons fire."""
        chosen = self.choices
        layer = dense("only", UNITS, delay=_DELAYS[chosen["delay"]])
        if chosen["recurrence"] != "none":
            layer["recurrent"] = True
            layer["autapses"] = chosen["recurrence"] == "autapses"
            layer["recurrent_delay"] = _DELAYS[chosen["recurrent_delay"]]
        config = described(
            layer, input_shape=[1, 1, UNITS], steps=STEPS, dt=chosen["dt"],
            schedule=chosen["schedule"], neuron="drawn",
            neurons={"drawn": self.model.to_mapping()},
            encoder={"kind": "bernoulli", "rate": 0.3}, decoder={"kind": "count"},
        )  # fmt: skip
        network = Network.initialise(config, seed=1)
        if chosen["variable"] == "per_neuron":
            theta = 1.0 if chosen["unit"] == "1" else 15e-3
            weights = {**network.weights, "only.bias": theta * np.linspace(0.0, 0.3, UNITS)}
            network = Network(config, weights)
        return scaled(network, self.images)

    @property
    def images(self) -> NDArray[np.float64]:
        """The images of the network."""
        return stream(0, 0).uniform(0.3, 1.0, (EXAMPLES, 1, 1, UNITS))

    @property
    def reproducible(self) -> bool:
        """Return whether all spikes must agree."""
        return self.network.config.placed[0].program.reproducible


def make(choose: Choose) -> Case:
    """Choose on each axis, among what the choices before it leave."""
    chosen: dict[str, str] = {}
    for axis, options in AXES.items():
        allowed = _METHODS.get(chosen.get("method", ""), {}).get(axis, options)
        if axis == "unless_refractory" and chosen["refractory"] == "none":
            allowed = ("no",)
        if axis == "recurrent_delay" and chosen["recurrence"] == "none":
            allowed = ("none",)
        chosen[axis] = choose(axis, allowed)
    return Case(chosen)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a model in a network."""
    return make(lambda _, options: draw(st.sampled_from(options)))


_THRESHOLDS = {
    "greater": "v > {}",
    "at_least": "v >= {}",
    "mirrored": "{} < v",
    "negated": "not (v <= {})",
    "both": "v > {} and t >= 2*ms",
    "either": "v > {} or v > 2*theta",
}


def _method(text: Text, choice: str) -> None:
    if choice != "default":
        text.keys["method"] = choice


def _curve(text: Text, choice: str) -> None:
    text.current += {
        "linear": ["-v"],
        "quadratic": ["v*clip(v/theta - 0.5, -1.5, 1.5)"],
        "exponential": ["-v", "0.2*theta*exp(clip((v - theta)/(0.2*theta), -20, 2))"],
        "tanh": ["-v", "0.3*theta*tanh(v/theta)"],
    }[choice]


def _synapse(text: Text, choice: str) -> None:
    current, equations = {
        "delta": ([], []),
        "exponential": (["I"], ["dI/dt = -I/tau_s : unit"]),
        "alpha": (["I"], ["dI/dt = (x - I)/tau_s : unit", "dx/dt = -x/tau_s : unit"]),
        "double_exponential": (["I"], ["dI/dt = (x - I)/tau_s : unit", "dx/dt = -x/tau_d : unit"]),
        "conductance": (["clip(g, 0, 10)*(5*theta - v)"], ["dg/dt = -g/tau_s : 1"]),
        "conductances": (
            ["clip(g, 0, 10)*(5*theta - v)", "clip(g_i, 0, 10)*(-theta - v)"],
            ["dg/dt = -g/tau_s : 1", "dg_i/dt = -g_i/tau_d : 1"],
        ),
    }[choice]
    text.current += current
    text.equations += equations
    text.keys["input"] = {"delta": "v", "exponential": "I"}.get(
        choice, "x" if "I" in current else "g"
    )
    text.keys["weight"] = "theta" if text.keys["input"] != "g" else "0.3"
    if choice == "conductances":
        text.keys["inhibition"] = "g_i"


def _noise(text: Text, choice: str) -> None:
    match choice:
        case "additive":
            text.current.append("0.3*theta*sqrt(2*tau)*xi")
        case "multiplicative":
            text.current.append("0.2*v*sqrt(2*tau)*xi")
        case "threshold":
            text.limit.append("0.2*theta*(rand() - 0.5)")
        case "held":
            text.current.append("eta")
            text.equations.append("eta = 0.3*theta*randn() : unit (constant over dt)")


def _subexpression(text: Text, choice: str) -> None:
    if choice == "none":
        return
    text.current.append("drive")
    text.equations += {
        "plain": ["drive = 0.2*theta - 0.1*v : unit"],
        "nested": ["drive = part + 0.2*theta : unit", "part = -0.1*v : unit"],
        "held": ["drive = 0.2*theta - 0.1*v : unit (constant over dt)"],
    }[choice]


def _variable(text: Text, choice: str) -> None:
    match choice:
        case "integer":
            text.equations.append("count : integer")
            text.limit.append("0.1*theta*clip(count, 0, 3)")
            text.reset.append("count += 1")
        case "boolean":
            text.equations.append("even : boolean")
            text.limit.append("0.2*theta*int(even)")
            text.reset.append("even = not even")
        case "shared":
            text.equations += ["s = gain*int(t > 5*ms) : 1 (shared)", "gain : 1 (shared)"]
            text.keys["initial"] = {"gain": "0.5"}
            text.limit.append("0.2*theta*s")
        case "per_neuron":
            text.equations.append("bias : unit (constant)")
            text.current.append("bias")


def _reset(text: Text, choice: str) -> None:
    text.reset += {
        "value": ["v = 0.1*theta"],
        "subtract": ["v -= theta"],
        "several": ["old = v - theta", "v = 0.2*old", "v += 0.1*theta"],
        "after_spike": ["v = 0*theta", "w += 0.3*theta"],
    }[choice]
    if choice == "after_spike":
        text.current.append("-w")
        text.equations.append("dw/dt = -w/tau_d : unit")


def _arithmetic(text: Text, choice: str) -> None:
    match choice:
        case "remainder":
            text.limit.append("0.2*theta*(v/theta % 0.7)")
            text.reset.append("v -= 0.1*theta*(v/theta % -0.3)")
        case "floor":
            text.limit.append("0.05*theta*(v/theta // 0.3)")
            text.reset.append("v -= 0.02*theta*(v/theta // 0.1)")
        case "division":
            text.equations.append("n : integer")
            text.limit += ["0.2*theta*int(n/10 >= 0.3)", "0.1*theta*(n // 3 % 2)"]
            text.reset += ["n = n + 1 + n % 2", "v += 0.3*theta*((n % 4)/7 - 1/(3 + n))"]
        case "crossed":
            text.equations.append("bound : 1")
            text.limit.append("0.2*theta*clip(v/theta, bound, 0.5)")
            text.reset += ["bound = (bound + 0.4) % 1.1", "v -= 0.1*theta*sign(bound - 0.5)"]
        case "rhythm":
            text.limit.append("0.3*theta*int(t % (5*ms) < 2*ms)")
            text.reset.append("v -= 0.02*theta*(t/(3*ms) // 1 % 4)")
        case "truth":
            text.equations.append("even_n : boolean")
            text.limit.append("0.3*theta*(even_n/3)")
            text.reset += ["even_n = not even_n", "v += 0.3*theta*(even_n - (v < 0*theta))/7"]


def _event(text: Text, choice: str) -> None:
    if choice == "integer":
        text.equations += ["z : integer", "high = v > 0.5*theta and z % 3 != 1 : boolean"]
        text.keys["events"] = {"rise": {"condition": "high", "reset": "z += 1"}}
        text.limit.append("0.1*theta*clip(z // 2, 0, 3)")
        text.reset.append("z = z/2 + 1")


def _name(text: Text, choice: str) -> None:
    text.equations.append(f"{choice} : unit")
    text.limit.append(f"0.2*{choice}")
    text.reset.append(f"{choice} = 0.5*{choice} + 0.1*theta")


def _refractory(text: Text, choice: str) -> None:
    if choice == "none":
        return
    text.keys["refractory"] = {
        "time": "2*ms",
        "expression": "t_ref + 1*ms*int(v < 0.05*theta)",
        "condition": "r > 0.3",
        "variable": "pause",
    }[choice]
    if choice == "condition":
        text.equations.append("dr/dt = -r/tau_s : 1")
        text.reset.append("r = 1")
    if choice == "variable":
        text.equations.append("pause : second")
        text.reset.append("pause = 1*ms + pause/2")


_WRITERS: Mapping[str, Callable[[Text, str], None]] = {
    "method": _method,
    "curve": _curve,
    "synapse": _synapse,
    "noise": _noise,
    "subexpression": _subexpression,
    "variable": _variable,
    "reset": _reset,
    "arithmetic": _arithmetic,
    "event": _event,
    "name": _name,
    "refractory": _refractory,
}
