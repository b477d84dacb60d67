"""Networks that receive signals: in any chunks, with delays, from any data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import conv, dense, drawn, write_arrays
from network_cases import SIGNALS, STEPS, receiving
from refusals import refused

from bioae import simulate, simulate_to
from bioae.analysis import differing_spikes, open_result
from bioae.datasets import Data, load
from bioae.errors import DataError
from bioae.networks import Network
from bioae.simulation import Backend

FRAMES = np.random.default_rng(1).poisson(0.4, (5, STEPS, 3))


def compare(result: xr.DataTree, expected: xr.DataTree) -> None:
    """Assert that two results have the same spikes, outputs and input, and not none."""
    for layer in ("first", "last"):
        assert expected[f"/layers/{layer}"]["spike_count"].sum() > 5
    assert differing_spikes(result, expected)["differing"].values.tolist() == [0, 0]
    for name in ("input", "output"):
        np.testing.assert_array_equal(result[name], expected[name])


@pytest.mark.medium
@pytest.mark.parametrize("random", [False, True])
def test_convolutions_of_events(random: bool) -> None:
    frames = np.random.default_rng(2).poisson(0.3, (3, STEPS, 2 * 5 * 6))
    net = drawn(
        conv("first", 4, 3, stride=2, gain=3.0), dense("last", 4, gain=3.0), input_shape=[60],
        steps=STEPS, encoder={"kind": "frames", "shape": [2, 5, 6], "random": random},
        task={"kind": "classification", "classes": 4},
    )  # fmt: skip
    assert net.config.placed[0].input_shape == (2, 5, 6)
    expected = simulate(net, frames, "torch")
    compare(simulate(net, Data.of_frames(frames), "numpy"), expected)
    compare(simulate(net, frames, Backend("numpy", connectivity="unrolled")), expected)


@pytest.mark.medium
@pytest.mark.parametrize("schedule", ["brian2", "paper"])
@pytest.mark.parametrize("hidden", [0, 1])
def test_an_output_follows_its_input(schedule: str, hidden: int) -> None:
    last = dense("last", 1, neuron="leaky_readout", parameters={"tau": "20*ms"}, initial=1.0)
    net = drawn(
        *[dense("hidden", 1, neuron="if", initial=2.0)][:hidden], last,
        input_shape=[1], steps=8, schedule=schedule, encoder={"kind": "frames"},
        task={"kind": "sequence", "outputs": 1}, decoder={"kind": "trajectory"},
    )  # fmt: skip
    after = np.arange(8) - 2  # steps of decay since the impulse of step 3
    for target in ("numpy", "torch"):
        output = simulate(net, np.eye(8)[None, :, 3:4], target)["output"].to_numpy()
        np.testing.assert_allclose(output[0, :, 0], np.exp(-after / 20) * (after > 0), rtol=1e-12)


@pytest.mark.medium
def test_points_that_last_several_steps() -> None:
    held = receiving(encoder=0, steps=STEPS)
    slow = held.config.encoder.model_copy(update={"every": 3})
    coarse = Network(held.config.varied(encoder=slow), held.weights)
    repeated = simulate(held, np.repeat(SIGNALS[:, :4], 3, axis=1), "numpy")
    compare(simulate(coarse, SIGNALS[:, :4], "numpy"), repeated)
    compare(simulate(coarse, SIGNALS[:, :4], "torch"), repeated)


@pytest.mark.medium
def test_every_kind_of_data_gives_the_same(tmp_path: Path) -> None:
    net = receiving()
    expected = simulate(net, FRAMES, "torch")
    events = Data.of_frames(FRAMES)
    addresses = events.values
    lists = {
        "event_example": addresses.example, "event_channel": addresses.channel, "channels": 3,
    }  # fmt: skip
    kinds = [
        Data.of_signals(FRAMES.astype(np.uint8)),
        events,
        load(write_arrays(tmp_path / "signals.h5", signals=FRAMES)),
        load(write_arrays(tmp_path / "signals.npz", signals=FRAMES.astype(np.float32))),
        load(write_arrays(tmp_path / "events.h5", **lists, event_time_ms=addresses.time + 0.25)),
        load(write_arrays(tmp_path / "events.npz", **lists, event_step=addresses.time)),
    ]
    for data in kinds:
        compare(simulate(net, data, "numpy"), expected)
    part = simulate(net, events[[3, 1]], "numpy")
    np.testing.assert_array_equal(part["example"], [3, 1])
    np.testing.assert_array_equal(part["output"], expected["output"][[3, 1]])


@pytest.mark.medium
def test_a_file_of_the_result_is_the_same_in_pieces(tmp_path: Path) -> None:
    net = receiving(1)
    events = Data.of_frames(FRAMES)
    simulate_to(tmp_path / "whole.nc", net, events, Backend("numpy", record=["v"]))
    simulate_to(tmp_path / "pieces.nc", net, events, Backend("numpy", record=["v"], chunk=2))
    assert (tmp_path / "whole.nc").read_bytes() == (tmp_path / "pieces.nc").read_bytes()
    with (
        xr.open_datatree(tmp_path / "whole.nc", engine="h5netcdf") as plain,
        open_result(tmp_path / "whole.nc", lazy=True) as checked,
    ):
        for result in (plain, checked):
            assert result["input"].dims == ("example", "time", "channel")
            np.testing.assert_array_equal(result["input"], FRAMES)
            assert result["/layers/last"]["state_v"].shape == (5, STEPS, 4)


REFUSED: list[tuple[Any, str]] = [
    (SIGNALS[:, :5], "12"), (SIGNALS[..., :2], "(3,)"), (SIGNALS[0, 0], "signals"),
    (load("sample", limit=3), "(12, 3)"), (Data.of_events([0], [12.0], [0], channels=3), ""),
    (Data.of_events([0], [1.0], [0], channels=4), "(4,)"),
    (Data.of_signals(SIGNALS, labels=[0, 1, 2, 3, 4]), "label"), (None, "(12, 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "name"), REFUSED, ids=lambda value: str(value)[:40])
def test_refused(data: Any, name: str) -> None:
    for target in ("numpy", "torch"):
        with refused(DataError, name):
            simulate(receiving(), data, target)


def test_a_network_of_images_receives_no_signals() -> None:
    net = drawn(dense("only", shape=[1, 3, 4]), input_shape=[1, 3, 4])
    with refused(DataError, found="signals of the shape (3,)"):
        simulate(net, Data.of_signals(SIGNALS), "numpy")
