"""Networks of every kind, with data: on each of them all targets must agree."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import xarray as xr
from builders import COBA, LEAKY, SCHEDULES, conv, deconv, dense, described, drawn, pictures

from bioae import simulate
from bioae.datasets import Data
from bioae.networks import Network
from bioae.random import named_stream, stream


@dataclass(frozen=True, eq=False)
class Case:
    """A network and its data; `least` of each layer's neurons fire, and outputs may be rounded."""

    network: Network
    data: Any
    record: Collection[str] = ()
    least: float = 0.0
    tolerance: float = 0.0


def assert_agree(actual: xr.DataTree, expected: xr.DataTree, case: Case) -> None:
    """Compare spikes, states and outputs, once it is known that there is something to compare."""
    assert actual["layers"].children.keys() == expected["layers"].children.keys()
    for name, layer in expected["layers"].children.items():
        counts = layer["spike_count"]
        assert float((counts.sum("example") > 0).mean()) >= case.least
        assert int(counts.sum()) > 5
        xr.testing.assert_identical(*map(_numbers, (actual[f"/layers/{name}"], layer)))
    name = "reconstruction" if "reconstruction" in expected else "output"
    outputs = expected[name].to_numpy()
    assert actual[name].dims == expected[name].dims
    assert np.ptp(outputs, 0).max() > 0
    tolerance = case.tolerance * np.abs(outputs).max()
    np.testing.assert_allclose(actual[name].to_numpy(), outputs, rtol=0, atol=tolerance)
    if "target" in expected:
        xr.testing.assert_identical(actual["target"], expected["target"])


def _numbers(layer: Any) -> xr.Dataset:
    """Return a layer whose states are numbers: Brian2 keeps conditions so."""
    data = layer.to_dataset()
    states = [name for name in data if str(name).startswith("state_")]
    return data.assign({name: data[name].astype(float) for name in states})


@cache
def case(name: str) -> Case:
    return CASES[name]()


# Neuron models, encoders and decoders, in convolutions that lead to a code and back

MODELS = ["alif", "cuba", "lif", "lif_subtract"]
ENCODERS = ["bernoulli", "first_spike", "constant_current"]
DECODERS = ["max", "last", "mean", "count"]
IMAGES = pictures(5, 1, 8, 8) ** 2
LAYERS: list[dict[str, Any]] = [
    conv("outer", 4, 3, stride=2), dense("latent", 20), dense("inner", shape=[4, 3, 3]),
    deconv("output", 1, 3, stride=2, output_padding=1),
]  # fmt: skip


def strided(recurrence: float = 1.0, **changes: Any) -> Network:
    """A small network on the grid of weights, scaled until half of each layer's neurons fire."""
    fields = {"layers": LAYERS, "input_shape": [1, 8, 8], "steps": 12, **changes}
    network = drawn(*fields.pop("layers"), seed=1, **fields)
    config, weights = network.config, network.weights
    scales = {name: recurrence if name.endswith("recurrent") else 1.0 for name in weights}
    scaled = {name: scales[name] * each for name, each in weights.items()}
    return driven(Network(config, scaled), IMAGES)


def driven(network: Network, data: Any) -> Network:
    """Double the weights of each layer until half of its neurons fire."""
    for placed in network.config.placed:
        name = f"{placed.name}.weight"
        while active(simulate(network, data, "torch"), placed.name) < 0.5:
            assert np.abs(network.weights[name]).max() < 2**20
            network = Network(network.config, {**network.weights, name: 2 * network.weights[name]})
    return network


def active(result: xr.DataTree, layer: str) -> float:
    """The fraction of a layer's neurons that fired at all."""
    return float((result[f"/layers/{layer}/spike_count"].sum("example") > 0).mean())


@cache
def recurrent(schedule: str, model: str) -> Network:
    layers = [{**layer, "recurrent": layer["name"] in ("outer", "output")} for layer in LAYERS]
    return strided(recurrence=16.0, schedule=schedule, neuron=model, layers=layers)


def _strided(model: str, schedule: str, encoder: str, decoder: str) -> Case:
    network = strided(
        neuron=model, schedule=schedule, encoder={"kind": encoder}, decoder={"kind": decoder}
    )
    return Case(network, IMAGES, network.config.placed[0].program.states.keys(), least=0.5)


# Pooling, biases, spread and weights of dt in one network

#: Conductances that a refractory neuron does not receive.
REFRACTORY = {
    **COBA,
    "equations": COBA["equations"].replace("g_e/tau_e : 1", "g_e/tau_e : 1 (unless refractory)"),
    "refractory": "3*ms",
    "weight": "0.25",
}
#: A spike is a pulse of one step, which is lost while the neuron is refractory.
PULSES = {
    **LEAKY, "equations": "dv/dt = -v/tau : 1 (unless refractory)", "refractory": "2*ms",
    "threshold": "v > theta", "weight": "dt/tau", "parameters": {"tau": "20*ms", "theta": "1"},
}  # fmt: skip


def _layer_kinds(schedule: str) -> Case:
    """Every kind of layer that pools, and biases of both signs in neurons of three models."""
    config = described(
        conv("conv", 4, 3, bias=True, neuron="coba", gain=4.0),
        {"kind": "avg_pool2d", "name": "average", "kernel": 3, "stride": 2, "padding": 1,
         "weight": "4", "bias": True, "delay": "1*ms"},
        {"kind": "sum_pool2d", "name": "sum", "kernel": 2, "stride": 1, "weight": "0.5",
         "recurrent": True, "initial": "orthogonal", "recurrent_gain": 0.5},
        dense("output", shape=[2, 8, 8], initial="orthogonal", gain=6.0, bias=True,
              neuron="pulses", weight="10*dt/tau",
              spread={"tau": 0.3, "theta": ["0.5", "1.5"]}),
        input_shape=[2, 8, 8], steps=15, schedule=schedule,
        neurons={"coba": REFRACTORY, "pulses": PULSES},
    )  # fmt: skip
    network = Network.initialise(config, seed=1).quantised()
    biases = {
        name: stream(7, key).integers(-1000, 2000, network.weights[name].shape) / 4096
        for key, name in enumerate(("conv.bias", "average.bias", "output.bias"))
    }
    network = Network(config, {**network.weights, **biases})
    return Case(network, pictures(3, 2, 8, 8), ["v", "g_e", "g_i"], least=0.5)


# Geometry, delays and inhibition

#: Excitation and inhibition in separate variables.
SEPARATE: dict[str, Any] = {
    "description": "Separate excitation and inhibition.",
    "equations": "dv/dt = -v/tau : 1\ng_e : 1\ng_i : 1",
    "threshold": "v + g_e - 1.5*g_i > 1", "reset": "v = 0\ng_e = 0\ng_i = 0",
    "input": "g_e", "inhibition": "g_i", "parameters": {"tau": "20*ms"},
}  # fmt: skip


def _geometry(schedule: str, encoder: str) -> Case:
    network = drawn(
        conv("a", 4, 3, stride=2, padding=1, delay="2*ms"),
        dense("b", 10, neuron="coba", recurrent=True, recurrent_delay="3*ms"),
        dense("c", shape=[4, 3, 3], delay=["0*ms", "2*ms"]),
        deconv("d", 2, 3, stride=2, padding=1, output_padding=1, groups=2, neuron="coba"),
        conv("e", 1, 3, padding=2, dilation=2),
        seed=1, factor=4, input_shape=[1, 6, 6], steps=12, schedule=schedule,
        encoder={"kind": encoder}, neurons={"coba": SEPARATE},
    )  # fmt: skip
    return Case(network, pictures(3, 1, 6, 6), least=0.5)


#: Adds up what arrives, and fires when the difference is 2; what it counted stays.
COUNTER: dict[str, Any] = {
    "description": "Counts excitation and inhibition.",
    "equations": "n_e : 1\nn_i : 1\nx : 1",
    "threshold": "n_e - 2*n_i > x + 1.5", "reset": "x += 1",
    "input": "n_e", "inhibition": "n_i", "weight": "2",
}  # fmt: skip
READOUT: dict[str, Any] = {"description": "Adds up.", "equations": "u : 1", "input": "u"}


def inhibited(
    schedule: str, *, readout: dict[str, Any] = READOUT, encoder: str = "constant_current"
) -> Network:
    config = described(
        conv("a", 3, 2, readout="total"),
        dense("b", shape=[1, 2, 2], recurrent=True, readout="total"),
        input_shape=[1, 2, 2], steps=12, schedule=schedule, encoder={"kind": encoder},
        decoder={"kind": "last"}, neuron="counter",
        neurons={"counter": COUNTER, "total": readout},
    )  # fmt: skip
    weights = {n: 4.0 * w for n, w in Network.initialise(config, seed=3).weights.items()}
    weights["a.weight"] += 1.0
    return Network(config, weights).quantised()


def _inhibited(schedule: str, encoder: str) -> Case:
    network = inhibited(schedule, encoder=encoder)
    return Case(network, pictures(3, 1, 2, 2), ["n_e", "n_i"], least=0.5)


# Outputs of tasks

OUTPUTS = 3
OF_TASKS: dict[str, dict[str, Any]] = {
    "max": {"kind": "max"},
    "count": {"kind": "count"},
    "decaying_mean": {"kind": "mean", "decay": 0.5},
    "summed_softmax": {"kind": "summed_softmax"},
    "trajectory": {"kind": "trajectory", "scale": 4.0},
    "population": {"kind": "population", "neurons": 4},
    "population_spikes": {"kind": "population", "neurons": 4, "of": "spikes"},
    "first_spike": {"kind": "first_spike"},
}


def decoding(decoder: str, schedule: str = "brian2", **fields: Any) -> Network:
    """A network for regression, or for sequences if it decodes trajectories."""
    task = {"kind": "sequence" if decoder == "trajectory" else "regression", "outputs": OUTPUTS}
    fields = {"steps": 8, "input_shape": [1, 4, 4], "schedule": schedule, "task": task, **fields}
    units = OUTPUTS * OF_TASKS[decoder].get("neurons", 1)
    layers = [dense("first", 12, gain=4.0), dense("last", units, gain=4.0)]
    return drawn(*layers, seed=3, decoder=OF_TASKS[decoder], **fields)


def examples(decoder: str, count: int = 5) -> Data:
    """Images with targets for `decoding`."""
    shape = (count, 8, OUTPUTS) if decoder == "trajectory" else (count, OUTPUTS)
    return Data.of_images(
        stream(1, 0).random((count, 1, 4, 4)), name="noise", split="test",
        indices=np.arange(10, 10 + count), targets=stream(2, 0).normal(size=shape),
    )  # fmt: skip


def _decoding(decoder: str, schedule: str) -> Case:
    # The rounding of `exp`, in which the libraries of both sides differ.
    tolerance = 1e-13 if decoder == "summed_softmax" else 0.0
    return Case(decoding(decoder, schedule), examples(decoder), tolerance=tolerance)


# Signals

STEPS = 12
SIGNALS = np.random.default_rng(0).normal(size=(5, STEPS, 3))
IN_TIME: list[dict[str, Any]] = [
    {"kind": "frames", "gain": 0.7},
    {"kind": "frames", "gain": 0.6, "random": True},
    {"kind": "level_crossing", "delta": 0.5},
    {"kind": "population", "neurons": 5, "low": -2.0, "high": 2.0, "gain": 1.0},
]


def receiving(encoder: int = 0, delay: Any = None, **fields: Any) -> Network:
    """A recurrent classifier of signals."""
    layer = {} if delay is None else {"delay": delay}
    return drawn(
        dense("first", 6, gain=3.0, recurrent=True, **layer),
        dense("last", 4, gain=3.0),
        **{
            "input_shape": [3], "steps": STEPS, "encoder": IN_TIME[encoder],
            "task": {"kind": "classification", "classes": 4}, **fields,
        },
    )  # fmt: skip


def _receiving(encoder: int, delay: Any, schedule: str) -> Case:
    return Case(receiving(encoder, delay, schedule=schedule), SIGNALS)


# Neurons that count the spikes of their layer

#: A threshold that rises with the layer's spikes, and a number that counts them.
COUNTING: dict[str, Any] = {
    "description": "Neuron whose threshold rises with the spikes of its layer.",
    "equations": "dv/dt = -v/tau : 1\nh : 1\nc : 1",
    "threshold": "v > h", "reset": "v = 0", "run_regularly": "h = clip(h - h_step, h_min, 10)",
    "method": "exact", "input": "v", "layer_spikes": {"h": "h_step", "c": "1"},
    "parameters": {"tau": "100*ms", "h_start": "0.5", "h_step": "0.02", "h_min": "0.1"},
    "initial": {"h": "h_start"},
}  # fmt: skip


def counting(
    schedule: str, *, recurrent: bool = False, first: dict[str, Any] | None = None,
    initial: dict[str, str] | None = None, **fields: Any,
) -> Network:  # fmt: skip
    own = {"kind": "dense", "weight": "0.2", "spread": {"h_start": ["0.3", "0.8"]}}
    layers = [
        {"name": "first", **own, **(first or {"units": 9, "recurrent": recurrent})},
        {"name": "second", **own, "units": 5, "recurrent": recurrent},
    ]
    neuron = {**COUNTING, "initial": {**COUNTING["initial"], **(initial or {})}}
    config = described(
        *layers,
        **{
            "input_shape": [12], "steps": 30, "schedule": schedule, "neuron": "counting",
            "neurons": {"counting": neuron}, "decoder": {"kind": "max"},
            "task": {"kind": "classification", "classes": 5},
            "encoder": {"kind": "frames", "random": True}, **fields,
        },
    )  # fmt: skip
    start = Network.initialise(config, seed=0)
    weights = {n: np.abs(w) if n.endswith("weight") else w for n, w in start.weights.items()}
    return Network(config, weights).quantised()


def counted() -> Data:
    values = 0.5 * named_stream(3, "signals").random((4, 30, 12))
    return Data.of_signals(values, labels=np.zeros(4, int))


CASES: dict[str, Callable[[], Case]] = {
    **{
        model: partial(_strided, model, SCHEDULES[n % 2], ENCODERS[n % 3], DECODERS[n])
        for n, model in enumerate(MODELS)
    },
    **{
        f"recurrent, {schedule}": lambda s=schedule, m=model: Case(  # type: ignore[misc]
            recurrent(s, m), IMAGES, least=0.5
        )
        for schedule, model in (("brian2", "cuba"), ("paper", "lif"))
    },
    **{f"layer kinds, {schedule}": partial(_layer_kinds, schedule) for schedule in SCHEDULES},
    "geometry, brian2": partial(_geometry, "brian2", "constant_current"),
    "geometry, paper": partial(_geometry, "paper", "constant_current"),
    "inhibition, brian2": partial(_inhibited, "brian2", "bernoulli"),
    "inhibition, paper": partial(_inhibited, "paper", "constant_current"),
    **{
        f"{decoder} of a task": partial(_decoding, decoder, SCHEDULES[n % 2])
        for n, decoder in enumerate(OF_TASKS)
    },
    "signals": partial(_receiving, 0, None, "brian2"),
    "random signals": partial(_receiving, 1, None, "brian2"),
    "level crossings": partial(_receiving, 2, "2*ms", "brian2"),
    "population of signals": partial(_receiving, 3, ("1*ms", "3*ms"), "brian2"),
    "delayed signals": partial(_receiving, 0, "2*ms", "paper"),
    "random signals, delays": partial(_receiving, 1, ("1*ms", "3*ms"), "paper"),
    **{
        f"layer spikes, {schedule}": lambda s=schedule: Case(  # type: ignore[misc]
            counting(s, recurrent=True), counted(), ["h", "c"]
        )
        for schedule in SCHEDULES
    },
}
#: Cases in slow tests: each model in the other schedule, and each encoder with each decoder.
MORE: dict[str, Callable[[], Case]] = {
    **{
        f"{model}, other schedule": partial(
            _strided, model, SCHEDULES[1 - n % 2], ENCODERS[(n + 1) % 3], DECODERS[n - 1]
        )
        for n, model in enumerate(MODELS)
    },
    **{
        f"{encoder}, {decoder}": partial(_strided, "lif", SCHEDULES[n % 2], encoder, decoder)
        for n, (encoder, decoder) in enumerate(product(ENCODERS, DECODERS))
    },
}
CASES |= MORE
