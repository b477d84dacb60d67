"""Neuron models drawn over Brian2's language, each in a small network: valid by construction.

Every axis of the language is a choice. A model is put together from the texts of its choices, in
units of its threshold, so that it is right with and without physical units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
        chosen = self.choices
        parts = [_PARTS[axis].get(chosen[axis], {}) for axis in _PARTS]

        def texts(key: str) -> list[str]:
            return [text for part in parts for text in part.get(key, ())]

        guard = " (unless refractory)" if chosen["unless_refractory"] == "yes" else ""
        v = f"dv/dt = ({' + '.join(texts('current'))})/tau : unit{guard}"
        limit = " + ".join(["theta", *texts("limit")])
        fields = {
            "description": "Drawn at random.",
            "equations": "\n".join([v, *texts("equations")]).replace("unit", chosen["unit"]),
            "threshold": _THRESHOLDS[chosen["threshold"]].format(limit),
            "reset": "\n".join(texts("reset")),
            "parameters": {
                "tau": "10*ms", "tau_s": "4*ms", "tau_d": "7*ms", "t_ref": "1*ms",
                "theta": "1" if chosen["unit"] == "1" else "15*mV",
                **({"bias": "0.1*theta"} if chosen["variable"] == "per_neuron" else {}),
            },
            **{key: value for part in parts for key, value in part.get("keys", {}).items()},
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
    "greater": "v > {}", "at_least": "v >= {}", "mirrored": "{} < v", "negated": "not (v <= {})",
    "both": "v > {} and t >= 2*ms", "either": "v > {} or v > 2*theta",
}  # fmt: skip


_DELTA, _CURRENT = ({"input": name, "weight": "theta"} for name in "vI")
_RISING, _CONDUCTANCE = {"input": "x", "weight": "theta"}, {"input": "g", "weight": "0.3"}

#: Parts of a model that the choices on some axes add.
_PARTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "method": {name: {"keys": {"method": name}} for name in AXES["method"] if name != "default"},
    "curve": {
        "linear": {"current": ["-v"]},
        "quadratic": {"current": ["v*clip(v/theta - 0.5, -1.5, 1.5)"]},
        "exponential": {
            "current": ["-v", "0.2*theta*exp(clip((v - theta)/(0.2*theta), -20, 2))"]
        },
        "tanh": {"current": ["-v", "0.3*theta*tanh(v/theta)"]},
    },
    "synapse": {
        "delta": {"keys": _DELTA},
        "exponential": {
            "current": ["I"], "equations": ["dI/dt = -I/tau_s : unit"], "keys": _CURRENT
        },
        "alpha": {
            "current": ["I"], "keys": _RISING,
            "equations": ["dI/dt = (x - I)/tau_s : unit", "dx/dt = -x/tau_s : unit"],
        },
        "double_exponential": {
            "current": ["I"], "keys": _RISING,
            "equations": ["dI/dt = (x - I)/tau_s : unit", "dx/dt = -x/tau_d : unit"],
        },
        "conductance": {
            "current": ["clip(g, 0, 10)*(5*theta - v)"],
            "equations": ["dg/dt = -g/tau_s : 1"], "keys": _CONDUCTANCE,
        },
        "conductances": {
            "current": ["clip(g, 0, 10)*(5*theta - v)", "clip(g_i, 0, 10)*(-theta - v)"],
            "equations": ["dg/dt = -g/tau_s : 1", "dg_i/dt = -g_i/tau_d : 1"],
            "keys": {**_CONDUCTANCE, "inhibition": "g_i"},
        },
    },
    "noise": {
        "additive": {"current": ["0.3*theta*sqrt(2*tau)*xi"]},
        "multiplicative": {"current": ["0.2*v*sqrt(2*tau)*xi"]},
        "threshold": {"limit": ["0.2*theta*(rand() - 0.5)"]},
        "held": {
            "current": ["eta"], "equations": ["eta = 0.3*theta*randn() : unit (constant over dt)"]
        },
    },
    "subexpression": {
        "plain": {"current": ["drive"], "equations": ["drive = 0.2*theta - 0.1*v : unit"]},
        "nested": {
            "current": ["drive"],
            "equations": ["drive = part + 0.2*theta : unit", "part = -0.1*v : unit"],
        },
        "held": {
            "current": ["drive"],
            "equations": ["drive = 0.2*theta - 0.1*v : unit (constant over dt)"],
        },
    },
    "variable": {
        "integer": {
            "equations": ["count : integer"], "limit": ["0.1*theta*clip(count, 0, 3)"],
            "reset": ["count += 1"],
        },
        "boolean": {
            "equations": ["even : boolean"], "limit": ["0.2*theta*int(even)"],
            "reset": ["even = not even"],
        },
        "shared": {
            "equations": ["s = gain*int(t > 5*ms) : 1 (shared)", "gain : 1 (shared)"],
            "limit": ["0.2*theta*s"], "keys": {"initial": {"gain": "0.5"}},
        },
        "per_neuron": {"equations": ["bias : unit (constant)"], "current": ["bias"]},
    },
    "reset": {
        "value": {"reset": ["v = 0.1*theta"]},
        "subtract": {"reset": ["v -= theta"]},
        "several": {"reset": ["old = v - theta", "v = 0.2*old", "v += 0.1*theta"]},
        "after_spike": {
            "reset": ["v = 0*theta", "w += 0.3*theta"], "current": ["-w"],
            "equations": ["dw/dt = -w/tau_d : unit"],
        },
    },
    "arithmetic": {
        "remainder": {
            "limit": ["0.2*theta*(v/theta % 0.7)"], "reset": ["v -= 0.1*theta*(v/theta % -0.3)"]
        },
        "floor": {
            "limit": ["0.05*theta*(v/theta // 0.3)"], "reset": ["v -= 0.02*theta*(v/theta // 0.1)"]
        },
        "division": {
            "equations": ["n : integer"],
            "limit": ["0.2*theta*int(n/10 >= 0.3)", "0.1*theta*(n // 3 % 2)"],
            "reset": ["n = n + 1 + n % 2", "v += 0.3*theta*((n % 4)/7 - 1/(3 + n))"],
        },
        "crossed": {
            "equations": ["bound : 1"], "limit": ["0.2*theta*clip(v/theta, bound, 0.5)"],
            "reset": ["bound = (bound + 0.4) % 1.1", "v -= 0.1*theta*sign(bound - 0.5)"],
        },
        "rhythm": {
            "limit": ["0.3*theta*int(t % (5*ms) < 2*ms)"],
            "reset": ["v -= 0.02*theta*(t/(3*ms) // 1 % 4)"],
        },
        "truth": {
            "equations": ["even_n : boolean"], "limit": ["0.3*theta*(even_n/3)"],
            "reset": ["even_n = not even_n", "v += 0.3*theta*(even_n - (v < 0*theta))/7"],
        },
    },
    "event": {
        "integer": {
            "equations": ["z : integer", "high = v > 0.5*theta and z % 3 != 1 : boolean"],
            "limit": ["0.1*theta*clip(z // 2, 0, 3)"], "reset": ["z = z/2 + 1"],
            "keys": {"events": {"rise": {"condition": "high", "reset": "z += 1"}}},
        },
    },
    "name": {
        name: {
            "equations": [f"{name} : unit"], "limit": [f"0.2*{name}"],
            "reset": [f"{name} = 0.5*{name} + 0.1*theta"],
        }
        for name in NAMES
    },
    "refractory": {
        "time": {"keys": {"refractory": "2*ms"}},
        "expression": {"keys": {"refractory": "t_ref + 1*ms*int(v < 0.05*theta)"}},
        "condition": {
            "equations": ["dr/dt = -r/tau_s : 1"], "reset": ["r = 1"],
            "keys": {"refractory": "r > 0.3"},
        },
        "variable": {
            "equations": ["pause : second"], "reset": ["pause = 1*ms + pause/2"],
            "keys": {"refractory": "pause"},
        },
    },
}  # fmt: skip
