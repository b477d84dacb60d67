"""Layers in Brian2: their kinds, inhibition, and decoded outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import builders
import numpy as np
import pytest
import xarray as xr
from builders import SCHEDULES, conv, dense, described, drawn, pictures
from network_cases import COUNTER, OF_TASKS, OUTPUTS, READOUT, decoding, examples, inhibited
from refusals import refused

from bioae import simulate, simulate_to
from bioae.datasets import Data
from bioae.equations.lowering.lowering import lower
from bioae.errors import DataError, ModelError
from bioae.networks import Network
from bioae.simulation import write_result
from bioae.simulation.backend import Backend, Connectivity
from bioae.simulation.workers.job import chunk_size

#: A perfect integrator, which loses input while it is refractory.
INTEGRATOR = {
    "description": "Counts its input.", "equations": "dv/dt = 0/ms : 1 (unless refractory)",
    "method": "euler", "threshold": "v >= 1", "reset": "v = 0", "refractory": "2*ms", "input": "v",
}  # fmt: skip
#: The potential U of `INTEGRATOR`: the sum of its input.
TOTAL = {"description": "Sums its input.", "equations": "u : 1", "input": "u"}


def silent(bias: float, schedule: str, **fields: Any) -> Network:
    """A neuron without any input but its bias."""
    config = described(
        dense("only", shape=[1, 1, 1], bias=True, readout="total", **fields),
        input_shape=[1, 1, 1], steps=10, schedule=schedule, decoder={"kind": "last", "scale": 1.0},
        neuron="counter", neurons={"counter": INTEGRATOR, "total": TOTAL},
    )  # fmt: skip
    return Network(config, {"only.weight": np.zeros((1, 1)), "only.bias": np.array([bias])})


@pytest.mark.medium
@pytest.mark.parametrize(("schedule", "lead_in"), [("paper", 0), ("brian2", 1)])
def test_a_bias_acts_in_every_step_and_in_the_lead_in(schedule: str, lead_in: int) -> None:
    network = silent(1 / 16, schedule)
    black = np.zeros((2, 1, 1))
    mirror = simulate(network, black, Backend("torch", record=["v"]))
    for each in (mirror, simulate(network, black, Backend("numpy", record=["v"]))):
        layer = each["layers/only"]
        expected = (np.arange(1, 11) + lead_in) / 16
        assert layer["state_v"].to_numpy()[:, :, 0].tolist() == [expected.tolist()] * 2
        assert not layer["spike_count"].any()
        assert each["reconstruction"].to_numpy().ravel().tolist() == [(10 + lead_in) / 16] * 2


@pytest.mark.medium
@pytest.mark.parametrize(
    ("schedule", "fires", "total"),
    # Two biases reach the threshold: those of steps 0 and 1, 4 and 5, and 8 and 9; in `brian2`
    # those of steps -1 and 0, 3 and 4, and 7 and 8.
    [("paper", [1, 5, 9], 10 / 2), ("brian2", [1, 5, 9], 11 / 2)],
)
def test_a_refractory_neuron_loses_its_bias_and_u_does_not(
    schedule: str, fires: list[int], total: float
) -> None:
    network = silent(0.5, schedule)
    black = np.zeros((1, 1, 1))
    for each in (simulate(network, black, "torch"), simulate(network, black, "numpy")):
        times = each["layers/only"]["spike_time_ms"].to_numpy()
        assert np.rint(times).astype(int).tolist() == fires
        assert each["reconstruction"].item() == total


def test_finer_steps_keep_the_bias_per_millisecond() -> None:
    network = silent(1 / 16, "paper").in_finer_steps(4)
    assert network.weights["only.bias"].tolist() == [1 / 64]
    assert simulate(network, np.zeros((1, 1, 1)), "numpy")["reconstruction"].item() == 10 / 16


def one_neuron(**fields: Any) -> Network:
    first = dense("first", 1, gain=4.0, recurrent=True, **fields)
    return Network.initialise(
        described(first, dense("output", shape=[1, 2, 2]), input_shape=[1, 2, 2], steps=20), seed=0
    )


DILATED = described(
    conv("first", 1, 2, dilation=3, padding=2), dense("output", shape=[1, 1, 1]),
    input_shape=[1, 1, 1], steps=20,
)  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("connectivity", ["shared", "unrolled"])
@pytest.mark.parametrize(
    "network",
    [one_neuron(), one_neuron(recurrent_delay=["1*ms", "3*ms"]), Network.initialise(DILATED)],
    ids=["recurrent", "delays", "dilated"],
)
def test_a_pathway_may_have_no_connections(network: Network, connectivity: Connectivity) -> None:
    images = np.ones((2, *network.config.input_shape))
    found = simulate(network, images, Backend("numpy", connectivity=connectivity))
    mirror = simulate(network, images, "torch")
    for name in ("first", "output"):
        pair = [each[f"layers/{name}"]["spike_time_ms"].to_numpy() for each in (found, mirror)]
        np.testing.assert_array_equal(*pair)


IMAGES = pictures(3, 1, 2, 2)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_excitation_and_inhibition_are_the_sums_of_weights_by_sign(schedule: str) -> None:
    counting = inhibited(schedule)
    brian = simulate(counting, IMAGES, Backend("numpy", record=["n_e", "n_i"]))
    events = np.rint(0.2 * IMAGES * 2**12) / 2**12
    kernel = counting.weights["a.weight"].reshape(3, 4)
    assert (kernel > 0).any()
    assert (kernel < 0).any()
    # Brian2's order has added the next step's input too, but for the last step's.
    count = np.minimum(np.arange(12) + (2 if schedule == "brian2" else 1), 12)
    for state, weights in (("n_e", np.maximum(kernel, 0)), ("n_i", np.maximum(-kernel, 0))):
        each = 2.0 * events.reshape(3, 4) @ weights.T
        actual = brian[f"/layers/a/state_{state}"].to_numpy()
        np.testing.assert_allclose(actual, each[:, None] * count[:, None], rtol=1e-14)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_potential_without_inhibition_gets_the_difference(schedule: str) -> None:
    plain = inhibited(schedule)
    separate = {**READOUT, "equations": "u : 1\nd : 1", "inhibition": "d"}
    decoded = []
    for adding in (plain, inhibited(schedule, readout=separate)):
        mirror = simulate(adding, IMAGES, "torch")
        brian = simulate(adding, IMAGES, "numpy")
        xr.testing.assert_equal(brian["reconstruction"], mirror["reconstruction"])
        decoded.append(mirror["reconstruction"].to_numpy())
    # One adds both signs, the other has a variable for each: more arrives at `u`.
    assert (decoded[1] >= decoded[0]).all()
    assert (decoded[1] > decoded[0]).any()


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"inhibition": "g"}, ("counter.toml, inhibition", "'g'")),
        ({"inhibition": "n_e"}, ("inhibition", "input")),
        ({"equations": "n_e : 1\nn_i : volt\nx : 1"}, ("counter.toml, inhibition", "unit")),
    ],
)
def test_refused_inhibition(changes: dict[str, Any], names: tuple[str, ...]) -> None:
    with refused(ModelError, *names):
        lower(builders.model(COUNTER, "counter", **changes))


@pytest.mark.medium
@pytest.mark.parametrize("decoder", ["trajectory", "first_spike"])
def test_files_do_not_depend_on_chunks(decoder: str, tmp_path: Path) -> None:
    net, images = decoding(decoder), examples(decoder)
    simulate_to(tmp_path / "parts.nc", net, images, Backend("numpy", chunk=2))
    write_result(simulate(net, images, "numpy"), tmp_path / "whole.nc")
    assert (tmp_path / "whole.nc").read_bytes() == (tmp_path / "parts.nc").read_bytes()


def test_float32() -> None:
    net, images = decoding("trajectory"), examples("trajectory")
    single = simulate(net, images, Backend("numpy", "float32"))
    assert single["output"].dtype == np.float64
    expected = simulate(net, images, "torch")["output"]
    np.testing.assert_allclose(single["output"], expected, rtol=1e-5, atol=1e-5)


def test_the_memory_of_a_chunk_counts_the_recorded_potential() -> None:
    sizes = {name: chunk_size(decoding(name).config, ()) for name in OF_TASKS}
    assert sizes["trajectory"] < sizes["count"]
    assert sizes["summed_softmax"] < sizes["max"] <= sizes["count"]


def test_examples_without_targets() -> None:
    net, images = decoding("max"), examples("max").as_float()
    result = simulate(net, images, "numpy")
    assert "target" not in result
    assert result["output"].shape == (5, OUTPUTS)


def test_labels_of_a_classifier() -> None:
    task = {"kind": "classification", "classes": OUTPUTS}
    net = drawn(dense("last", OUTPUTS, gain=4.0), input_shape=[1, 4, 4], steps=4, task=task)
    pixels = examples("max").values
    known = Data.of_images(pixels, labels=np.array([0, 2, 1, 1, 0]), name="noise", split="test")
    result = simulate(net, known, "numpy")
    assert result["label"].to_numpy().tolist() == [0, 2, 1, 1, 0]
    assert "target" not in result
    foreign = Data.of_images(pixels, labels=np.array([0, 3, 1, 1, 0]), name="noise", split="test")
    for target in ("torch", "numpy"):
        with refused(DataError, where="labels", found="0 to 3"):
            simulate(net, foreign, target)


def test_targets_that_do_not_fit_are_refused() -> None:
    wrong = examples("trajectory")
    with refused(DataError, "(3,)", "(8, 3)"):
        simulate(decoding("max"), wrong, "numpy")
