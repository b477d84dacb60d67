"""Networks that do not fit: each is refused in one line that names the key and the value."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import builders
import numpy as np
import pytest
from brian2 import ms
from builders import LEAKY, conv, deconv, dense, described, drawn
from refusals import refused

from bioae.datasets import Data
from bioae.equations import load_neuron
from bioae.errors import DataError, InputError, ModelError, NetworkError
from bioae.networks import Network, NetworkConfig
from bioae.networks.tasks import Classification, Regression, Representation, Sequence
from bioae.trainers.mirror import NetworkMirror
from bioae.trainers.mirror.layer import LayerOptions

LAYERS: list[dict[str, Any]] = [
    conv("a", 3, 4, stride=2, padding=1),
    deconv("b", 1, 4, stride=2, padding=1),
]
POOL = {"kind": "avg_pool2d", "name": "a", "kernel": 2}
OUT = dense("b", shape=[1, 8, 8])
CLASSES = {"kind": "classification", "classes": 3}
SIGNALS = {"input_shape": [3], "task": {**CLASSES, "classes": 2}, "layers": [dense("b", 2)]}


def first(**changes: Any) -> dict[str, Any]:
    return {"layers": [{**LAYERS[0], **changes}, LAYERS[1]]}


def last(**changes: Any) -> dict[str, Any]:
    return {"layers": [LAYERS[0], {**LAYERS[1], **changes}]}


def full(**changes: Any) -> dict[str, Any]:
    """Change a dense layer of three neurons before the last one."""
    return {"layers": [dense("a", 3, **changes), OUT]}


def three(**fields: Any) -> dict[str, Any]:
    """Describe three outputs for images of four pixels."""
    return {"input_shape": [1, 2, 2], "steps": 5, "layers": [dense("b", 3)], **fields}


def signals(**encoder: Any) -> dict[str, Any]:
    return {**SIGNALS, "steps": 6, **({"encoder": encoder} if encoder else {})}


DESCRIPTIONS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"colour": 1}, ("colour", "input_shape")),
    ({"steps": 0}, ("steps", "greater than or equal to 1", "found 0")),
    ({"steps": np.float64(12.5)}, ("steps",)),
    ({"schedule": "late"}, ("schedule", "'brian2' or 'paper'", "late")),
    ({"input_shape": [8, 8]}, ("input_shape", "[8, 8]")),
    ({"latent": "z"}, ("'z'", "a, b")),
    ({"layers": []}, ("layers",)),
    ({"encoder": {"kind": "morse"}}, ("encoder", "morse", "bernoulli, first_spike")),
    ({"decoder": {"kind": 3}}, ("decoder", "3", "max, last")),
    ({"decoder": {"scale": 1}}, ("decoder.kind",)),
    ({"decoder": "max"}, ("decoder", "a table", "'max'")),
    ({"task": {"kind": "sort"}}, ("task", "sort", "reconstruction, classification")),
    ({"encoder": {"kind": "bernoulli", "rate": 2}}, ("encoder.rate",)),
    ({"decoder": {"kind": "max", "scale": 0}}, ("decoder.scale",)),
    ({"preset": "small"}, ("'small'", "paper, strided")),
    (first(kind="pool"), ("layers.1st", "pool", "dense")),
    (first(colour=1), ("layers.1st.colour",)),
    (first(name="b"), ("'b'",)),
    (first(name="input"), ("'input'",)),
    (first(name="A"), ("layers.1st.name",)),
    (first(gain=0), ("layers.1st.gain",)),
    (first(stride=0), ("layers.1st.stride",)),
    (first(kernel=15), ("layer 'a'", "too small")),
    (last(padding=9), ("layer 'b'", "too small")),
    (first(groups=2), ("layer 'a'", "2 groups", "1 input")),
    (last(groups=2), ("layer 'b'", "2 groups", "3 input")),
    (last(output_padding=2), ("output_padding", "stride", "dilation")),
    (last(channels=2), ("128 outputs", "needs 64")),
    ({"layers": [dense("d", 64), *LAYERS]}, ("layer 'a'", "(channel, y, x)", "(64,)")),
    ({"layers": [dense("d", 64, shape=[1, 8, 8])]}, ("units", "shape")),
    ({"layers": [dense("d")]}, ("units", "shape")),
    # Initial values
    (full(initial=[1.0, 0.0]), ("initial", "[least, largest]", "[1.0, 0.0]")),
    (full(initial="uniform"), ("initial", '"normal", "orthogonal"', "'uniform'")),
    (full(initial=[1.0]), ("initial",)),
    (full(initial=1e9), ("initial",)),
    (full(initial=True), ("initial",)),
    (full(recurrent_gain=0.5), ("recurrent_gain", "recurrent = true")),
    (full(recurrent_initial=0.5), ("recurrent_initial", "recurrent = true")),
    (full(bias=1), ("bias",)),
    (full(spread={"mass": 0.1}), ("'lif'", "'mass'")),
    (full(spread={"tau": -0.1}), ("'a'", "'tau'")),
    (full(spread={"tau": "1*ms"}), ("spread", "0.2")),
    (full(spread={"tau": ["1*ms"]}), ("spread", "a pair")),
    (full(spread={"tau": ["1*ms", "2*ms"]}), ("5*ms to 500*ms", "1*ms")),
    (full(spread={"tau": ["9*ms", "8*ms"]}), ("9*ms, 8*ms",)),
    (full(spread={"tau": ["9*mV", "8*mV"]}), ("second", "9*mV")),
    ({"layers": [{**POOL, "gain": 2.0}, OUT]}, ("gain",)),
    ({"layers": [{**POOL, "initial": "orthogonal"}, OUT]}, ("initial",)),
    ({"layers": [{**POOL, "padding": 2}, OUT]}, ("padding", "found 2")),
    ({"layers": [{**POOL, "kernel": 9}, OUT]}, ("(1, 0, 0)",)),
    ({"layers": [{**POOL, "delay": ["1*ms", "2*ms"]}, OUT]}, ("delay",)),
    ({"layers": [{**POOL, "channels": 3}, OUT]}, ("layers.1st.channels",)),
    ({"layers": [dense("d", 8), POOL, OUT]}, ("'a'", "(channel, y, x)")),
    # Delays
    (full(delay="-1*ms"), ("layer 'a', delay", "not negative")),
    (full(delay="25*ms"), ("25 ms",)),
    (full(delay="2*mV"), ("layer 'a', delay", "second", "volt")),
    (full(delay=["3*ms", "1*ms"]), ("layer 'a', delay", "3*ms, 1*ms")),
    (full(delay=["1.2*ms", "1.8*ms"]), ("dt = 1 ms",)),
    (full(delay=["1*ms", "30*ms"]), ("found 30 ms",)),
    (full(delay=2), ("delay", '"2*ms"', "found 2")),
    (full(delay=["1*ms"]), ("found ['1*ms']",)),
    (full(recurrent_delay="1*ms"), ("recurrent_delay", "recurrent = true")),
    (full(autapses=True), ("autapses", "recurrent = true")),
    # Neurons
    (full(readout="lif"), ("readout", "lif")),
    (last(neuron="leaky_readout") | {"decoder": {"kind": "count"}}, ("'b'", "count", "leaky")),
    # Time steps
    ({"dt": "-1*ms"}, ("network, dt", "found -1*ms")),
    ({"dt": "0*ms"}, ("positive time",)),
    ({"dt": "1*mV"}, ("second", "volt")),
    ({"dt": "1"}, ("network, dt", "second")),
    ({"dt": "soon"}, ("'soon'",)),
    ({"dt": "1*"}, ("network, dt",)),
    # Tasks
    (three(), ("3 outputs", "needs 4")),
    (three(task={**CLASSES, "classes": 4}), ("3 outputs", "'classification'", "needs 4")),
    (three(task={"kind": "regression", "outputs": 2}), ("3 outputs", "'regression'", "needs 2")),
    (three(task={"kind": "sequence", "outputs": 3}), ("'sequence'", "'max'")),
    (three(task=CLASSES, decoder={"kind": "trajectory"}), ("'classification'", "'trajectory'")),
    (three(task=CLASSES, decoder={"kind": "population", "neurons": 2}), ("2 neurons", "3")),
    (three(task={"kind": "classification"}), ("task.classes",)),
    (three(task={**CLASSES, "outputs": 3}), ("task.outputs",)),
    # Signals
    (signals(), ("'bernoulli'", "images", "[3]", "frames, level_crossing, population")),
    (signals(kind="first_spike"), ("'first_spike'", "images")),
    (signals(kind="frames") | {"input_shape": [1, 3, 1]}, ("'frames'", "signals")),
    (signals(kind="frames", every=4), ("steps = 6", "every = 4")),
    (signals(kind="frames", gain=0.0), ("encoder.gain",)),
    (signals(kind="frames", shape=[2, 3, 4]), ("[2, 3, 4]", "24", "[3]")),
    (signals(kind="population", neurons=2), ("encoder.neurons",)),
    (signals(kind="population", low=1.0), ("low = 1", "high = 1")),
    (signals(kind="level_crossing", delta=-1.0), ("encoder.delta",)),
    (signals(kind="frames") | {"task": {"kind": "reconstruction"}}, ("images", "[3]")),
]


@pytest.mark.parametrize(("changes", "names"), DESCRIPTIONS, ids=lambda value: str(value)[:50])
def test_descriptions(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    fields: dict[str, Any] = {"input_shape": [1, 8, 8], "layers": LAYERS, **changes}
    with refused(NetworkError, *names) as caught:
        _ = described(*fields.pop("layers"), **fields).placed
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"neuron": "liff"}, ("'liff'", "'lif'")),
        (first(readout="ghost"), ("'ghost'",)),
        (first(parameters={"mass": "1"}), ("'mass'",)),
    ],
)
def test_neuron_models(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    fields = {"layers": LAYERS, **changes}
    with refused(ModelError, *names):
        _ = described(*fields.pop("layers"), input_shape=[1, 8, 8], **fields).placed


@pytest.fixture(scope="module")
def network() -> Network:
    layers = [
        conv("a", 8, 5, delay=["1.5*ms", "4*ms"], bias=True),
        dense("b", 40, delay="2.4*ms", recurrent=True),
        dense("c", shape=[1, 9, 9], recurrent=True, autapses=True),
    ]
    return drawn(*layers, input_shape=[1, 9, 9])


ARRAYS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "missing": ({"b.weight": None}, ("'b.weight'", "(40, 200)")),
    "a missing delay": ({"a.weight_delay": None}, ("'a.weight_delay'",)),
    "no such layer": ({"z.weight": np.zeros(1)}, ("'z.weight'",)),
    "no such weights": ({"a.recurrent": np.zeros((8, 8))}, ("'a.recurrent'",)),
    "no such bias": ({"c.bias": np.zeros(81)}, ("'c.bias'",)),
    "no such parameter": ({"b.mass": np.array(1.0)}, ("'b.mass'",)),
    "a state": ({"b.v": np.zeros(40)}, ("'b.v'",)),
    "no layer": ({"tau": np.zeros(40)}, ("'tau'",)),
    "transposed": ({"b.weight": np.zeros((200, 40))}, ("(40, 200)", "(200, 40)")),
    "short": ({"b.tau": np.zeros(7)}, ("'b.tau'", "() or (40,)", "(7,)")),
    "a short bias": ({"a.bias": np.zeros(7)}, ("'a.bias'", "(8,)", "(7,)")),
    "delays of another shape": ({"a.weight_delay": np.full((8, 1, 5), 0.001)}, ("(8, 1, 5)",)),
    "not a number": ({"b.weight": np.full((40, 200), np.nan)}, ("'b.weight'", "not finite")),
    "infinite": ({"b.tau": np.array(np.inf)}, ("'b.tau'", "not finite")),
    "negative": ({"b.tau": np.array(-0.1)}, ("'b.tau'", "positive times", "-0.1")),
    "negative delays": ({"a.weight_delay": np.full((8, 1, 5, 5), -0.001)}, ("'a.weight_delay'",)),
    "long delays": ({"a.weight_delay": np.full((8, 1, 5, 5), 0.025)}, ("found 25 ms",)),
    "autapses": ({"b.recurrent": np.eye(40)}, ("'b.recurrent'", "a diagonal of zeros")),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(network: Network, name: str) -> None:
    changes, names = ARRAYS[name]
    arrays = {n: v for n, v in {**network.weights, **changes}.items() if v is not None}
    with refused(NetworkError, *names):
        Network(network.config, arrays)


WEIGHTS = np.ones((40, 200))
ZERO = builders.model(
    load_neuron("lif").to_mapping(), "zero", threshold="v > theta + shift",
    parameters={"tau": "10*ms", "theta": "1", "shift": "0"},
)  # fmt: skip

CHANGES: list[tuple[Callable[[Network], object], tuple[str, ...]]] = [
    (lambda n: n.with_parameters({"tau": "3"}), ("'a', tau", "second", "'3'")),
    (lambda n: n.with_parameters({"tau": 3.0}), ("second", "'3.0'")),
    (lambda n: n.with_parameters({"tau": np.ones(40)}, layers=["b"]), ("second", "each neuron")),
    (lambda n: n.with_parameters({"tau": np.ones(5) * ms}, layers=["b"]), ("() or (40,)",)),
    (lambda n: n.with_parameters({"tau": "-1*ms"}), ("'a.tau'", "positive times")),
    (lambda n: n.with_parameters({"tau": "2*tau"}), ("'tau'",)),
    (lambda n: n.with_parameters({"theta": 3 * ms}), ("theta", "unit")),
    (lambda n: n.with_parameters({"theta": True}), ("theta",)),
    (lambda n: n.with_parameters({"nothing": "1"}), ("'nothing'",)),
    (lambda n: n.with_parameters({"tau": "1*ms"}, layers=["d"]), ("layers", "a or b or c")),
    (lambda n: n.with_parameters({"tau": "1*ms"}, layers="a"), ("layers",)),
    (lambda n: n.with_parameters("tau"), ('{"tau": "10*ms"}',)),
    (lambda n: n.with_weights({"b.weights": WEIGHTS}), ("'b.weights'",)),
    (lambda n: n.with_weights({"b.weight": [["a"]]}), ("b.weight",)),
    (lambda n: n.with_weights({"b.weight": WEIGHTS + 1j}), ("b.weight",)),
    (lambda n: n.with_weights({"b.weight": [[1], [1, 2]]}), ("b.weight",)),
    (lambda n: n.with_weights({"b.weight": None}), ("b.weight",)),
    (lambda n: n.with_weights({"b.weight": WEIGHTS * ms}), ("weights, b.weight", "unit")),
    (lambda n: n.with_weights({"b.weight": WEIGHTS.T}), ("(40, 200)", "(200, 40)")),
    (lambda n: n.with_spread({"taw": 0.1}), ("'taw'", "tau, theta")),
    (lambda n: n.with_spread({"tau": -0.1}), ("'tau'",)),
    (lambda n: n.with_spread({"tau": np.nan}), ("at most 10", "nan")),
    (lambda n: n.with_neuron(ZERO, calibrate="none").with_spread({"shift": 0.1}), ("'shift'",)),
    (lambda n: n.with_background(-0.1), ("background", "-0.1")),
    (lambda n: n.with_background(np.inf), ("background",)),
    (lambda n: n.with_background((0.1, "2*kHz")), ("1000 Hz",)),
    (lambda n: n.with_background((0.1, "2*ms")), ("'2*ms'",)),
    (lambda n: n.with_delay("-1*ms"), ("delay",)), (lambda n: n.with_delay("1*second"), ("delay",)),
    (lambda n: n.with_delay("1*mV"), ("unit",)), (lambda n: n.with_time(steps=0), ("steps",)),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_changes(network: Network, number: int) -> None:
    change, names = CHANGES[number]
    with pytest.raises(InputError) as caught:
        change(network)
    assert not [name for name in names if name not in str(caught.value)], caught.value
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        *[
            (
                lambda n, delay=delay: n.with_delay(delay),
                {"where": "delay", "expected": 'one time, such as "2*ms"', "hint": hint},
            )
            for delay, hint in ((3, None), (None, None), (["1*ms", "2*ms"], re.compile("pair")))
        ],
        (lambda n: n.with_background("x"), {"where": None}),
        (lambda n: n.with_weights({3: WEIGHTS}), {"expected": "str", "found": "3"}),
        (
            lambda n: n.with_weights({"b.weight": np.ma.masked_less(WEIGHTS, 0)}),
            {"where": "weights, b.weight", "hint": re.compile(r"values\.filled\(0\)")},
        ),
    ],
)
def test_changes_name_what_they_expect(
    network: Network, change: Callable[[Network], object], fields: dict[str, Any]
) -> None:
    with refused(NetworkError, **fields):
        change(network)


def one_layer(name: str, parameters: dict[str, str]) -> Network:
    fields = {
        **LEAKY, "equations": f"dv/dt = ({'+'.join(parameters)} - v)/(10*ms) : 1",
        "parameters": parameters, "trainable": {name: ["0.1", "2"]},
    }  # fmt: skip
    return drawn(
        dense("hidden", shape=[1, 2, 2], bias=True),
        input_shape=[1, 2, 2], steps=5, neuron="mine", neurons={"mine": fields},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"bias": "0.5"}, ("found bias",)),
        ({"weight": "0.5"}, ("found weight",)),
        ({"rate": "0.5", "twice": "2*rate"}, ("'twice'", "'rate'")),
    ],
)
def test_parameters_without_an_array(parameters: dict[str, str], names: tuple[str, ...]) -> None:
    """Those with the name of an array of weights, and those that another one follows."""
    name = next(iter(parameters))
    described = one_layer(name, parameters)
    for change in (
        partial(described.with_spread, {name: 0.1}),
        partial(described.with_parameters, {name: np.full(4, 0.75)}),
        partial(NetworkMirror, described, LayerOptions(trainable=[name])),
    ):
        with refused(NetworkError, *names):
            change()


def test_two_models_with_one_name(tmp_path: Any) -> None:
    own = tmp_path / "lif.toml"
    own.write_text(load_neuron("lif").with_parameters({"tau": "3*ms"}).to_toml())
    mixed = NetworkConfig.from_mapping(
        {"input_shape": [1, 8, 8], **last(neuron=str(own))}, where="mixed"
    )
    with refused(NetworkError, "'b'", "'lif'"):
        mixed.self_contained()


# Targets

EXAMPLES = partial(Data.of_images, np.zeros((2, 1, 2, 2)), name="zeros", split="test")


@pytest.mark.parametrize(
    ("task", "known", "names"),
    [
        (Classification(classes=3), {}, ("labels",)),
        (Regression(outputs=3), {}, ("targets",)),
        (Representation(outputs=3), {}, ()),
        (Classification(classes=2), {"labels": np.array([0, 2])}, ("0 to 1", "found 0 to 2")),
        (Classification(classes=2), {"labels": np.array([-1, 1])}, ("found -1 to 1",)),
        (Regression(outputs=2), {"targets": np.ones((2, 3))}, ("(2,)", "found (3,)")),
        (Sequence(outputs=3), {"targets": np.ones((2, 4, 3))}, ("(5, 3)", "found (4, 3)")),
    ],
)
def test_targets(task: Any, known: dict[str, Any], names: tuple[str, ...]) -> None:
    with refused(DataError, *names):
        task.target_of(EXAMPLES(**known), 5)
