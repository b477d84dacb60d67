"""Arguments of Python's functions: refused in one line before any work, or as good as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from builders import dense, described, pictures, two_layers

import bioae
from bioae import responses, trainers
from bioae.datasets import Data, load
from bioae.errors import BioaeError
from bioae.networks import Network, NetworkConfig
from bioae.networks.artefact import save

NETWORK = two_layers()
IMAGES = pictures(2, 4, 4)
LIF = bioae.load_neuron("lif")
RESULT = bioae.analysis.example_result()
DATA = Data.of_images(IMAGES[:, None], labels=np.arange(2), name="test", split="test")

Call = Callable[..., Any]
SIMULATE: Call = partial(bioae.simulate, NETWORK, IMAGES, "numpy")

#: Values that are no whole number of 1 or more.
NOT_WHOLE = (0, -1, 1.5, float("nan"), True, "1", [1], 2**70, np.True_, np.float64(2))
#: Values that are no seed.
NOT_SEED = (-1, 1.5, 1.0, float("nan"), True, "1", None, 2**64, [0])
NOT_TEXT = (None, 1, True, "x", b"v", ["v"], {})
NOT_TIME = ("x", "1", "1*mV", "-1*ms", 5, True, 2 * mV, [1], "inf*ms", "nan*ms")
NOT_NUMBER = (
    "x", "0.1", True, float("nan"), float("inf"), [0.1, 0.2, 0.3], {}, np.array([0.1]), 0.1 * ms,
)  # fmt: skip
NOT_MODEL = (None, 3, "lif", {})


def each(call: Call, name: str, values: Iterable[Any]) -> list[tuple[Call, dict[str, Any]]]:
    return [(call, {name: value}) for value in values]


def changed_images(**changes: Any) -> Call:
    return lambda: bioae.simulate(NETWORK, DATA.assign(**changes), "numpy")


CASES: list[tuple[Call, dict[str, Any]]] = [
    *each(SIMULATE, "seed", NOT_SEED),
    *each(partial(bioae.Backend, "numpy"), "chunk", NOT_WHOLE),
    *each(partial(bioae.Backend, "numpy"), "workers", [*NOT_WHOLE, None]),
    *each(
        SIMULATE, "examples",
        [[0.0, 1.5], [1, 1], [True, False], ["0", "1"], [], [-1, 0], [0, 2**63], [0, 2**70], 1,
         "01", [[0, 1]], [0, None], {0: 1}],
    ),
    *each(partial(bioae.simulate, data=IMAGES), "network", NOT_MODEL),
    *each(partial(bioae.simulate, NETWORK, IMAGES), "backend", NOT_TEXT),
    *each(partial(bioae.Backend, "numpy"), "dtype", NOT_TEXT),
    *each(partial(bioae.Backend, "numpy"), "connectivity", NOT_TEXT),
    *each(partial(bioae.Backend, "numpy"), "record", ["v", None, 1, {"v": 1}, [1], b"v"]),
    *each(
        partial(bioae.simulate, NETWORK, backend="numpy"), "data",
        [None, "x", 1, [], IMAGES + 2, IMAGES * np.nan, IMAGES.astype(str), IMAGES[0, 0],
         IMAGES * 1j, IMAGES[:, :3], [[1], [1, 2]], IMAGES.astype(object)],
    ),
    (changed_images(labels=np.arange(3)), {}),
    (changed_images(labels=["a", "b"]), {}),
    (changed_images(indices=np.array([0.5, 1])), {}),
    (changed_images(indices=[0]), {}),
    *each(NETWORK.with_time, "steps", [0, -1, 1.5, "x", True, None, 2**63]),
    *each(NETWORK.with_time, "dt", [*NOT_TIME, "0*ms", None]),
    *each(NETWORK.with_time, "nonsense", [1]),
    *[
        (partial(NETWORK.with_spread, {"tau": value}), {})
        for value in (*NOT_NUMBER, None, -0.1)
    ],
    *each(NETWORK.with_spread, "spread", [None, 1, ["tau"], "tau", {"x": 0.1}, {1: 0.1}]),
    *each(partial(NETWORK.with_spread, {"tau": 0.1}), "seed", NOT_SEED),
    *each(NETWORK.with_neuron, "neuron", [None, 3, "x", {}]),
    *each(partial(NETWORK.with_neuron, LIF), "calibrate", ["x", {"first": 1.0}]),
    *each(NETWORK.in_finer_steps, "parts", NOT_WHOLE),
    *each(NETWORK.quantised, "bits", [-1, 1.5, "1", True, 2**40]),
    *each(partial(Network.initialise, NETWORK.config), "seed", NOT_SEED),
    *each(Network.initialise, "config", ["c.toml", Path("c.toml"), {"layers": []}, None]),
    *each(NetworkConfig.from_mapping, "values", ["c.toml", Path("c.toml"), None, 1]),
    *each(
        partial(NetworkConfig.from_mapping, where="x"), "values",
        [NETWORK.config.to_mapping() | {"synapses": {"s": {}}}],
    ),
    *each(NETWORK.with_weights, "weights", [{"first.weight": np.full((4, 16), 1e300)}]),
    *each(SIMULATE, "layout", [5, ["N"], b"NHW"]),
    *each(partial(bioae.simulate, NETWORK, backend="numpy"), "data", [RESULT, RESULT["layers"]]),
    *each(partial(bioae.build, NETWORK), "prefix", ["5a", "a b", 5]),
    *each(partial(bioae.datasets.convert, IMAGES), "shape", [16, 1.5, {1: 1}, ("4", 4), (0, 4)]),
    *each(Data.of_trains, "trains", [None, 5, [5]]),
    *each(partial(Network, NETWORK.config), "weights", [None, 5, ["hidden"]]),
    *each(trainers.TrainingConfig.from_mapping, "values", ["c.toml", None, [1]]),
    *each(trainers.NetworkMirror, "network", NOT_MODEL),
    *each(partial(responses.calibrate, LIF), "target", NOT_MODEL),
    *each(bioae.plots.to_svg, "figure", [None, RESULT]),
    *each(bioae.analysis.example_result, "seed", ["a", None, -1]),
    *each(partial(bioae.train, NETWORK.config, IMAGES), "settings", [{"network": {"steps": 5}}, 5]),
    *each(bioae.datasets.fetch, "name", [5, None]),
    # the analysis
    *each(partial(bioae.analysis.wilson_interval, 1), "trials", [RESULT, "x", 0.5]),
    *each(partial(bioae.analysis.weight_fields, RESULT), "shape", [(1, 4, 4), "output"]),
    *each(partial(bioae.analysis.weight_fields, IMAGES[0]), "shape", [(2, 3), 4, "x", (4,)]),
    *each(bioae.load_neuron, "neuron", [None, 1, "x", b"lif", "a\0.toml"]),
    *each(bioae.load, "name_or_path", [None, 1, "x", b"x", "a\0", ""]),
    *each(partial(save, NETWORK), "path", [None, 1]),
    *each(partial(save, path="/nowhere/x"), "network", NOT_MODEL),
    *each(load, "name_or_path", [None, 1, "x", b"x", "", "none.npy", "none.npz"]),
    *each(load("sample", "test", 3).__getitem__, "which", [0, np.int64(1), np.array(2)]),
    *each(bioae.analysis.open_result, "path", [None, 1, "x", "", "/", "."]),
    *each(load, "limit", [*NOT_WHOLE, 10**6]),
    *each(load, "split", ["x", None, 1, ["train"]]),
    *each(bioae.build, "network", NOT_MODEL),
    *each(partial(bioae.build, NETWORK), "presentations", NOT_WHOLE),
    *each(partial(bioae.build, NETWORK), "connectivity", NOT_TEXT),
    # responses of single neurons
    *each(responses.time_step, "model", NOT_MODEL),
    *each(responses.rate_curve, "model", NOT_MODEL),
    *each(responses.rheobase, "model", NOT_MODEL),
    *each(responses.threshold_weight, "model", NOT_MODEL),
    *each(partial(responses.step_response, drive=1.0), "model", NOT_MODEL),
    *each(partial(responses.time_step, LIF), "dt", [*NOT_TIME, ""]),
    *each(partial(responses.rate_curve, LIF, [0.1]), "duration", NOT_TIME),
    *each(partial(responses.rate_curve, LIF, [0.1]), "per", NOT_TEXT),
    *each(partial(responses.rate_curve, LIF, [0.1]), "schedule", NOT_TEXT),
    *each(
        partial(responses.rate_curve, LIF, [0.1]), "parameters",
        ["tau", {"x": 1.0}, {"tau": "1"}, {"tau": float("nan")}, 3, ["tau"]],
    ),
    *each(
        partial(responses.rate_curve, LIF), "drives",
        ["x", ["x"], [[1.0]], [float("nan")], [float("inf")], {}],
    ),
    *each(partial(responses.step_response, LIF), "drive", NOT_NUMBER),
    *each(partial(responses.drive_range, LIF), "rate", [*NOT_NUMBER, 0, -1]),
    # the PyTorch side
    *each(partial(bioae.simulate, NETWORK, IMAGES, "torch"), "seed", NOT_SEED),
    *each(partial(bioae.simulate, data=IMAGES, backend="torch"), "network", NOT_MODEL),
    *each(partial(bioae.parity, LIF), "neurons", [*NOT_WHOLE, 1]),
    *each(partial(bioae.parity, LIF), "steps", NOT_WHOLE),
    *each(partial(bioae.parity, LIF), "examples", NOT_WHOLE),
    *each(partial(bioae.parity, LIF), "seed", NOT_SEED),
    *each(partial(bioae.parity, LIF), "target", NOT_TEXT),
    *each(trainers.derivative, "name", NOT_TEXT),
    *each(trainers.loss_function, "name", NOT_TEXT),
    *each(trainers.TrainingConfig.read, "source", ["x", "a\0"]),
]  # fmt: skip


def _name(case: tuple[Call, dict[str, Any]]) -> str:
    call, arguments = case
    function = call.func if isinstance(call, partial) else call
    return f"{getattr(function, '__name__', 'call')}-{arguments!r}"[:80]


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_an_argument_that_does_not_fit_is_refused(case: tuple[Call, dict[str, Any]]) -> None:
    call, arguments = case
    with pytest.raises(BioaeError) as caught:
        call(**arguments)
    assert "\n" not in str(caught.value)


def test_the_arguments_before_their_change_are_accepted() -> None:
    assert SIMULATE(examples=np.array([1, 0]), seed=np.uint64(2**64 - 1)).sizes["example"] == 2
    assert bioae.simulate(NETWORK, DATA, "numpy").sizes["example"] == 2


def one_layer(**fields: Any) -> NetworkConfig:
    return described(dense("output", shape=[1, 4, 4], **fields), input_shape=[1, 4, 4])


QUANTITIES: dict[str, tuple[Callable[[Any], Any], Any, Any]] = {
    "with_delay": (lambda value: NETWORK.with_delay(value).sha256, 2 * ms, "0.002*second"),
    "with_background": (lambda value: NETWORK.with_background(value).config.layers[0].background,
                        (0.1, 20 * Hz), (0.1, "20.0*(hertz)")),
    "with_time": (lambda value: NETWORK.with_time(dt=value).config.dt_seconds, 0.5 * ms, "0.5*ms"),
    "parameters": (
        lambda value: bioae.simulate(
            Network.initialise(one_layer(parameters={"tau": value}, gain=4.0)), IMAGES, "numpy"
        )["/layers/output/spike_count"].to_numpy().tolist(),
        20 * ms, "20*ms",
    ),
    "pair of delays": (lambda value: one_layer(delay=value).placed[0].delays,
                       [1 * ms, 3 * ms], ["0.001*(second)", "0.003*(second)"]),
    "time_step": (lambda value: responses.time_step(LIF, value), 0.5 * ms, "0.5*ms"),
    "rate_curve": (
        lambda value: responses.rate_curve(LIF, [0.1], duration=value, discard=0 * ms).item(),
        100 * ms, "100*ms",
    ),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("case", QUANTITIES)
def test_a_quantity_of_brian2_is_as_good_as_text(case: str) -> None:
    function, quantity, text = QUANTITIES[case]
    value = function(quantity)
    assert str(value) == str(function(text)) if case != "with_delay" else value is not None
