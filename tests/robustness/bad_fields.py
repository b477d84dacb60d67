"""Documents of a training and of a neuron model, and the rules of their fields."""

from __future__ import annotations

import math
from typing import Any

from robustness.bad_values import (
    NUMBERS,
    TIMES,
    Field,
    either,
    flag,
    nothing,
    number,
    one_of,
    text,
    time,
    whole,
)

__all__ = ["ARTEFACT_FIELDS", "NEURON", "NEURON_FIELDS", "SIDE", "TRAINING", "TRAINING_FIELDS"]

#: The rows and columns of an image.
SIDE = 4
TRAINING: dict[str, Any] = {
    "data": {"name": "images.npy", "train": 2, "validation": 1, "test": 2},
    "network": {
        "input_shape": [1, SIDE, SIDE],
        "dt": "1*ms",
        "steps": 3,
        "schedule": "brian2",
        "neuron": "lif",
        "latent": "hidden",
        "encoder": {"kind": "bernoulli", "rate": 0.5},
        "decoder": {"kind": "max", "scale": 2.0},
        "layers": [
            {
                "kind": "dense", "name": "hidden", "units": 3, "gain": 2.0, "recurrent": True,
                "autapses": False, "delay": "1*ms", "recurrent_delay": "1*ms", "weight": "1",
                "background": 0.1, "parameters": {"tau": "20*ms"}, "readout": "leaky_readout",
                "spread": {"tau": 0.1}, "bias": True, "initial": "orthogonal", "recurrent_gain": 1,
            },
            {"kind": "dense", "name": "output", "shape": [1, SIDE, SIDE], "gain": 2.0},
        ],
    },
    "training": {
        "epochs": 1, "batch_size": 2, "learning_rate": 0.001, "gradient_clip": 1.0, "seed": 1,
        "threads": 1, "compile": False, "dtype": "float32", "device": "cpu", "grid_bits": 12,
        "checkpoint_seconds": 20.0, "truncate": 2, "recompute": 2, "loss": "sum_squared_error",
        "trainable": [], "per_neuron": False, "evaluation_batch_size": 2, "frozen": [],
        "optimiser": {"name": "adamw", "weight_decay": 0.1}, "average": 0.9, "select": "best",
        "variability": {
            "scale": 0.1, "distribution": "normal", "accumulate": False, "layers": ["hidden"],
        },
        "schedule": {"name": "step", "every": 1, "factor": 0.5, "warm_up": 0.5},
        "layers": {"hidden": {"trainable": [], "bounds": {}, "derivative": {"name": "membrane"}}},
        "stages": [
            {
                "epochs": 1, "batch_size": 1, "learning_rate": 0.001, "learning_rates": {},
                "schedule": {"name": "cosine", "final": 0.5, "warm_up": 0.5}, "trainable": [],
                "frozen": [], "regularisers": {"l2": {"coefficient": 0.1, "warm_up": 0.5}},
            },
            {"batch_size": 2},
        ],
        "derivative": {"name": "membrane", "detach_reset": True, "detach_refractory": True},
    },
    "regularisers": {
        "beta1": {"coefficient": 0.1, "target": 0.0, "layers": ["hidden"], "over": "batch"},
        "lambda1": {"coefficient": 0.1, "window": [0.1, 0.5], "warm_up": 0.5},
        "l2": 0.1,
    },
}  # fmt: skip
NEURON: dict[str, Any] = {
    "description": "Leaky integrate-and-fire neuron.",
    "reference": "none",
    "equations": "dv/dt = -v/tau : 1",
    "threshold": "v > theta",
    "reset": "v = 0",
    "refractory": "1*ms",
    "method": "exact",
    "input": "v",
    "weight": "1",
    "dt": "1*ms",
    "parameters": {"tau": "100*ms", "theta": "1"},
    "initial": {"v": "0", "settle": "1*ms"},
    "surrogate": {"distance": "v - theta", "scale": "theta"},
    "trainable": {"tau": ["0.1*ms", "500*ms"]},
}
BOUNDS = (
    ["5*ms", "500*ms"], ["500*ms", "5*ms"], ["200*ms", "500*ms"], ["1*ms", "2*ms"], ["5*ms"],
    ["5*mV", "500*mV"], ["nan*ms", "500*ms"], ["0*ms", "1e400*ms"], [1, 2], "5*ms", [], True,
    [["5*ms", "500*ms"]], ["5*ms", "500*ms", "9*ms"], {"low": "5*ms"},
)  # fmt: skip


#: Values at the edges of a whole number, and of a factor.
_COUNTS = (True, 0, -1, 2, 3, 10**6 + 1, 2**31, 2**63, 10**30, 2.0, "3", math.inf, [3], {})
_FACTORS = (True, "1", math.inf, math.nan, 1e308, -1e13, 0.5, 1, 0, -1.0, [1], {})
_DEVICES = (
    "cpu",
    "meta",
    "cuda",
    "tpu",
    "cpu:99",
    "",
    1,
    True,
    "mps",
    "xla",
    "privateuseone",
    "cpu\0",
)
_DELAYS = (
    1, True, 0.5, ["1*ms"], ["2*ms", "1*ms"], [1, 2], ["1*ms", "nan*ms"], ["1*ms"] * 3, {}, []
)  # fmt: skip
_TERMS = ({}, [], True, "1", math.nan, {"layers": "all"}, {"coefficient": True})
_LAYERS = ("all", "hidden", [], ["nobody"], [1], True, 1, ["hidden", "x"], ["hidden"], {})
_WINDOWS = (
    [0, 1], [-1.0, 2.5], [1, 0], [1], [0, 1, 2], ["0", "1"], [True, 1], [0, math.nan], [0, 1e13],
    {}, 1, "0", [[0, 1]], [],
)  # fmt: skip
_EPOCHS = (True, 0, -1, 1, 2, 10**6 + 1, 2**63, 10**30, 1.0, "1", math.inf, [1], {})
_THREADS = (True, 0, -1, 1, 2, 1025, 100_000, 2**63, 1.0, "1", math.inf)


_HIDDEN = ("training", "layers", "hidden")
_STAGE = ("training", "stages", 0)


def _dense(path: int, name: str) -> tuple[str | int, ...]:
    return ("network", "layers", path, name)


TRAINING_FIELDS = (
    Field(("data", "name"), nothing),
    Field(("data", "train"), whole(2, 2)),  # one is for validation
    Field(("data", "validation"), lambda v: whole(1, 1)(v) or (type(v) is float and 0 < v < 1)),
    Field(("data", "test"), whole(1, 2)),
    Field(("network", "input_shape"), nothing),
    Field(("network", "input_shape", 0), one_of(1)),
    Field(("network", "dt"), time(), TIMES),
    Field(("network", "dt"), nothing),
    Field(("network", "steps"), whole(2, 10**6), _COUNTS),
    Field(("network", "schedule"), nothing),
    Field(("network", "neuron"), nothing),
    Field(("network", "latent"), nothing),
    Field(("network", "encoder"), nothing),
    Field(("network", "encoder", "rate"), number(1e-12, 1)),
    Field(("network", "encoder", "kind"), nothing),
    Field(("network", "decoder"), nothing),
    Field(("network", "decoder", "scale"), number(1e-12, 1e12)),
    Field(("network", "layers"), nothing),
    Field(_dense(0, "kind"), nothing),
    Field(_dense(0, "name"), nothing),
    Field(_dense(0, "units"), one_of(1, 2)),
    Field(_dense(0, "gain"), number(1e-12, 1e12), _FACTORS),
    Field(_dense(0, "recurrent_gain"), number(1e-12, 1e12), _FACTORS),
    Field(_dense(0, "initial"), either(one_of("normal", "orthogonal"), number(-1e6, 1e6))),
    Field(_dense(0, "bias"), flag),
    Field((*_dense(0, "spread"), "tau"), number(0, 10), (*_FACTORS, *_DELAYS)),
    Field(_dense(0, "recurrent"), one_of(True)),
    Field(_dense(0, "autapses"), flag),
    Field(_dense(0, "delay"), time(0, 2.4e-3), TIMES),
    Field(_dense(0, "delay"), nothing, _DELAYS),
    Field(_dense(0, "recurrent_delay"), time(0, 2.4e-3), TIMES),
    Field(_dense(0, "weight"), one_of("1", "0.5"), NUMBERS),
    Field(_dense(0, "background"), number(0, 1e6)),
    Field(_dense(0, "parameters"), one_of({})),
    Field((*_dense(0, "parameters"), "tau"), time(), TIMES),
    Field((*_dense(0, "parameters"), "tau"), nothing),
    Field(_dense(0, "readout"), nothing),
    Field(_dense(1, "shape"), nothing),
    Field((*_dense(1, "shape"), 1), one_of(SIDE)),
    Field(("training", "epochs"), whole(1, 10**6), _EPOCHS),
    Field(("training", "batch_size"), whole(1, 10**9)),
    Field(("training", "learning_rate"), number(0, 1e3, above=True)),
    Field(("training", "gradient_clip"), lambda v: number(1e-12, 1e12)(v) or number(0, 0)(v)),
    Field(("training", "seed"), whole(0, 2**63 - 1)),
    Field(("training", "threads"), one_of(1, 2), _THREADS),
    Field(("training", "compile"), one_of(False, "auto"), (0, 1, "true", "no", 0.5, [], False)),
    Field(("training", "dtype"), nothing),
    Field(("training", "device"), one_of("cpu"), _DEVICES),
    Field(("training", "grid_bits"), whole(0, 20)),
    Field(("training", "checkpoint_seconds"), number(0, 1e9)),
    Field(("training", "truncate"), whole(1, 10**6)),
    Field(("training", "recompute"), whole(1, 10**6)),
    Field(("training", "loss"), nothing),
    Field(("training", "trainable"), one_of([])),
    Field(("training", "per_neuron"), one_of(True, False, [])),
    Field(("training", "learning_rates"), one_of({})),
    Field(("training", "init"), nothing),
    Field(("training", "evaluation_batch_size"), whole(1, 10**9)),
    Field(("training", "optimiser"), nothing),
    Field(("training", "optimiser", "name"), nothing),
    Field(("training", "optimiser", "weight_decay"), number(0, 1e3)),
    Field(("training", "schedule"), nothing),
    Field(("training", "schedule", "name"), nothing),
    Field(("training", "schedule", "every"), whole(1, 10**6)),
    Field(("training", "schedule", "factor"), number(0, 1, above=True)),
    Field(("training", "schedule", "warm_up"), number(0, 2)),  # epochs of the run
    Field(("training", "average"), lambda v: type(v) is float and 0 < v < 1),
    Field(("training", "select"), nothing),
    Field(("training", "variability"), number(0, 1e6, above=True)),
    Field(("training", "variability", "scale"), number(0, 1e6, above=True)),
    Field(("training", "variability", "distribution"), nothing),
    Field(("training", "variability", "accumulate"), flag),
    Field(("training", "variability", "layers"), one_of(["hidden"]), _LAYERS),
    Field(("training", "frozen"), one_of([])),
    Field(("training", "layers"), one_of({})),
    Field((*_HIDDEN, "trainable"), one_of([])),
    Field((*_HIDDEN, "bounds"), one_of({})),
    Field((*_HIDDEN, "derivative"), nothing),
    Field(("training", "stages"), one_of([])),
    Field((*_STAGE, "epochs"), whole(1, 10**5), _EPOCHS),
    Field((*_STAGE, "batch_size"), whole(1, 10**9)),
    Field((*_STAGE, "learning_rate"), number(0, 1e3, above=True)),
    Field((*_STAGE, "learning_rates"), one_of({})),
    Field((*_STAGE, "schedule", "final"), number(0, 1)),
    Field((*_STAGE, "schedule", "warm_up"), number(0, 1)),
    Field((*_STAGE, "trainable"), one_of([])),
    Field((*_STAGE, "frozen"), one_of([])),
    Field((*_STAGE, "regularisers"), one_of({})),
    Field((*_STAGE, "regularisers", "l2", "warm_up"), number(0, 1)),
    Field(("training", "derivative"), nothing),
    Field(("training", "derivative", "detach_reset"), flag),
    Field(("training", "derivative", "detach_refractory"), flag),
    Field(("training", "derivative", "width"), nothing),
    Field(("regularisers", "l2"), number(-1e12, 1e12), _FACTORS),
    Field(("regularisers", "beta1"), nothing, _TERMS),
    Field(("regularisers", "beta1", "coefficient"), number(-1e12, 1e12), _FACTORS),
    Field(("regularisers", "beta1", "target"), number(-1e12, 1e12), _FACTORS),
    Field(("regularisers", "beta1", "layers"), one_of("all", ["hidden"]), _LAYERS),
    Field(("regularisers", "beta1", "over"), nothing),
    Field(("regularisers", "lambda1", "window"), one_of([0, 1], [-1.0, 2.5]), _WINDOWS),
    Field(("regularisers", "lambda1", "warm_up"), number(0, 2)),
)  # fmt: skip
NEURON_FIELDS = (
    Field(("description",), lambda v: text(v) and bool(v.strip())),
    Field(("reference",), text),
    *(Field((key,), nothing) for key in ("threshold", "method", "input", "surrogate")),
    Field(("events",), one_of({})),
    Field(("refractory",), lambda v: v == "tau" or time(0)(v), TIMES),
    Field(("weight",), one_of("1", "0.5"), NUMBERS),
    Field(("dt",), time(), TIMES),
    Field(("parameters",), nothing),
    Field(("parameters", "tau"), time(), TIMES),
    Field(("parameters", "theta"), one_of("1", "0.5"), NUMBERS),
    Field(("parameters", "theta"), one_of("1")),
    Field(("initial",), one_of({})),
    Field(("initial", "settle"), time(), TIMES),
    Field(("surrogate", "scale"), one_of("1")),
    Field(("trainable",), one_of({})),
    Field(("trainable", "tau"), one_of(["0.1*ms", "500*ms"]), BOUNDS),
    Field(("run_regularly",), nothing, (1, True, "", " ", {"v": "0"}, [], math.nan)),
    Field(("run_every",), nothing),
    Field(("inhibition",), nothing),
    Field(("potential",), one_of("v")),
    Field(("inputs",), one_of({})),
    Field(("timed_arrays",), one_of({})),
)
ARTEFACT_FIELDS = (
    Field(("format_version",), one_of(1)),
    Field(("network",), nothing),
    Field(("arrays",), nothing),
    Field(("arrays", "hidden.weight"), nothing),
    Field(("arrays", "hidden.weight", 0), nothing, (True, -3, 0, 2**63, 3.0, "3", [3], math.nan)),
    Field(("training",), lambda v: v in ({}, {"a": 1}, {"kind": "dense"}, {"kind": 1}, {"model": 1},
                                         {"name": "sample"})),
    Field(("network", "steps"), whole(2, 10**6), (True, 0, -1, 2, 3, 2**63, 3.0, "3", [3])),
    Field(("network", "dt"), time(), TIMES),
    Field(("network", "neurons"), nothing),
    Field(("network", "neurons", "lif"), nothing),
    Field(("network", "neurons", "lif", "weight"), one_of("1", "0.5"), NUMBERS),
    Field(("network", "neurons", "lif", "parameters", "tau"), time(), TIMES),
    Field(("network", "encoder", "rate"), number(1e-12, 1)),
    Field(("network", "layers"), nothing),
)  # fmt: skip
