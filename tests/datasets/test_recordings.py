"""Events of event cameras, Neo and Brian2, against plain lists of addresses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from brian2 import Network, SpikeGeneratorGroup, SpikeMonitor, ms, prefs, volt
from refusals import refused

from bioae.datasets import Data, convert
from bioae.errors import DataError

WIDTH, HEIGHT = 5, 3
SENSOR = (WIDTH, HEIGHT, 2)
CHANNELS = WIDTH * HEIGHT * 2
FIELDS = [("x", np.int16), ("y", np.int16), ("p", bool), ("t", np.int64)]


def recording(seed: int, events: int = 40) -> np.ndarray:
    """Return random events in the form that tonic hands out, times in microseconds."""
    random = np.random.default_rng(seed)
    made = np.zeros(events, FIELDS)
    made["x"], made["y"] = random.integers(0, WIDTH, events), random.integers(0, HEIGHT, events)
    made["p"], made["t"] = random.integers(0, 2, events), np.sort(random.integers(0, 9000, events))
    return made


RECORDINGS = [recording(0), recording(1), recording(2, 0)]


class Tonic:
    """A data set of tonic's form."""

    sensor_size = SENSOR

    def __len__(self) -> int:
        return len(RECORDINGS)

    def __getitem__(self, place: int) -> tuple[np.ndarray, int]:
        return RECORDINGS[place], place + 5


class Part:
    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> Any:
        return self.dataset[place]


def frames_of(recordings: list[np.ndarray]) -> np.ndarray:
    """Count events one by one in 9 frames of 1 ms: (example, time, channel)."""
    frames = np.zeros((len(recordings), 9, 2, HEIGHT, WIDTH))
    for example, each in enumerate(recordings):
        for x, y, p, t in each:
            frames[example, int(t // 1000), int(p), y, x] += 1
    return frames.reshape(len(recordings), 9, CHANNELS)


@pytest.mark.parametrize(
    ("source", "count", "options"),
    [
        (RECORDINGS, 3, {"sensor": SENSOR}),
        (RECORDINGS[0], 1, {"sensor": SENSOR}),
        (Tonic(), 3, {}),
        (Part(Tonic()), 2, {}),
        ({name: RECORDINGS[0][name] for name in "xypt"}, 1, {"sensor": SENSOR}),
        ("one.npy", 1, {"sensor": SENSOR}),
        ("one.npz", 1, {"sensor": SENSOR}),
    ],
    ids=["list", "one", "tonic", "part", "fields", "npy", "npz"],
)
def test_structured_arrays_of_events(
    source: Any, count: int, options: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("one.npy", RECORDINGS[0])
    np.savez("one.npz", **{name: RECORDINGS[0][name] for name in "xypt"})
    data = convert(source, (CHANNELS,), **options)
    frames = data.frames(9)
    assert frames.sum() >= 40
    np.testing.assert_array_equal(frames, frames_of(RECORDINGS[:count]))
    if isinstance(source, Tonic):
        assert np.asarray(data.labels).tolist() == [5, 6, 7]


def times_of(data: Data) -> list[float]:
    values: Any = data.values
    return [*map(float, values.time)]


def channels_of(data: Data) -> list[int]:
    values: Any = data.values
    return [*map(int, values.channel)]


def test_units_and_fields_by_other_names() -> None:
    made = np.zeros(3, [("ts", float), ("x", int)])
    made["ts"], made["x"] = [0.001, 0.0025, 0.004], [0, 3, 1]
    data = convert(made, (4,), time_unit="s")  # x alone: the channels of the network
    assert (times_of(data), channels_of(data)) == ([1.0, 2.5, 4.0], [0, 3, 1])
    fields = {"t": [0, 2, 2], "x": [0, 1, 0], "p": [1, 1, 1]}
    steps = convert(fields, sensor=(2, 1, 1), time_unit="step")
    assert steps.frames(3)[0].tolist() == [[1, 0], [0, 0], [1, 1]]
    both = {"timestamp": [1e9, 2e9], "t": [1000, 2000], "x": [0, 1]}
    assert times_of(convert(both, (CHANNELS,))) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("source", "options", "fields"),
    [
        (RECORDINGS, {}, {"hint": re.compile("sensor=")}),
        (RECORDINGS, {"sensor": (5, 3)}, {"found": "(5, 3)"}),
        (RECORDINGS, {"sensor": (4, 3, 2)}, {"expected": "30 channels", "found": "4 x 3 x 2"}),
        (RECORDINGS, {"sensor": (3, 5, 2)}, {"expected": "whole numbers from 0 to 2"}),
        (RECORDINGS, {"sensor": SENSOR, "time_unit": "h"}, {"found": "'h'"}),
        (RECORDINGS, {"sensor": SENSOR, "layout": "NTC"}, {"where": "layout"}),
        (np.zeros(2, [("t", int), ("x", int)]), {"sensor": SENSOR}, {"expected": re.compile("2$")}),
        ({"t": [-1], "x": [0]}, {}, {"found": "-0.001"}),
        ({"t": [1, 2], "x": [0]}, {}, {"where": "a recording"}),
        ({"t": [1], "x": [0.5]}, {}, {"expected": "whole numbers from 0 to 29"}),
        ({"t": ["a", "b"], "x": [0, 1]}, {}, {"found": "the type <U1"}),
    ],
)
def test_recordings_that_do_not_fit(source: Any, options: Any, fields: Any) -> None:
    with refused(DataError, **fields):
        convert(source, (CHANNELS,), **options)


def forms_of_times(times: Any, **unit: Any) -> list[Any]:
    return [
        lambda: Data.of_events([0, 0], times, [0, 0], channels=1, **unit),
        lambda: Data.of_trains([[times]], **unit),
        lambda: convert({"t": times, "x": [0, 0]}, (1,), time_unit=unit.get("unit", "ms")),
    ]


def test_times_with_a_unit_are_converted() -> None:
    pq = pytest.importorskip("quantities")
    for times in ([5, 17] * ms, [5 * ms, 17 * ms], [0.005, 0.017] * pq.s, [5.0, 17.0]):
        for make in forms_of_times(times):
            assert times_of(make()) == pytest.approx([5.0, 17.0])
    for wrong in ([5, 17] * volt, [5, 17] * pq.V, [5 * volt, 17 * volt]):
        for make in forms_of_times(wrong):
            with refused(DataError, expected="ms or s"):
                make()
    for mixed in ([2.0, 3 * ms], [3 * ms, 2.0]):
        for make in forms_of_times(mixed)[:2]:
            with refused(DataError):
                make()
    for make in forms_of_times([5, 17] * ms, unit="step"):
        with refused(DataError, hint=re.compile("Divide by it")):
            make()


class Quantity:
    """A quantity as of pint, and with other names of attributes of astropy."""

    def __init__(self, names: tuple[str, str], unit: str) -> None:
        setattr(self, names[0], np.array([2.0, 3.0]))
        setattr(self, names[1], unit)

    def to(self, unit: str) -> Any:
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array([2.0, 3.0])


ARRAY = xr.DataArray([2.0, 3.0], dims="spike", coords={"unit": ("spike", [7, 8])})
PINT, ASTROPY = ("magnitude", "units"), ("value", "unit")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Quantity(PINT, "millisecond"), 1), (Quantity(ASTROPY, "ms"), 1),
        (Quantity(PINT, "s"), 1000), (Quantity(ASTROPY, ""), 1), (ARRAY, 1),
        (ARRAY.assign_attrs(units="s"), 1000), (ARRAY.assign_attrs(units=b"ms"), 1),
        (ARRAY.assign_attrs(units=None), 1), (Quantity(PINT, "volt"), "volt"),
        (Quantity(ASTROPY, "V"), "V"), (ARRAY.assign_attrs(units="mV"), "mV"),
    ],
)  # fmt: skip
def test_units_of_other_libraries(source: Any, expected: Any) -> None:
    make = forms_of_times(source)[0]
    if isinstance(expected, str):
        with refused(DataError, expected="ms or s", found=expected):
            make()
    else:
        assert times_of(make()) == [2.0 * expected, 3.0 * expected]


def test_arrays_of_xarray_in_counts_are_no_quantities() -> None:
    images = xr.DataArray(np.ones((2, 1, 3, 4)), attrs={"units": "counts"})
    assert len(convert(images, (1, 3, 4))) == 2
    seen = convert({"t": [1, 2], "x": xr.DataArray([0, 1], attrs={"units": "pixel"})}, (2,))
    assert channels_of(seen) == [0, 1]


def segment_of(neo: Any, *trains: Any, **options: Any) -> Any:
    segment = neo.Segment(**options)
    segment.spiketrains.extend(trains)
    return segment


def test_lists_of_neo_hold_examples() -> None:
    neo = pytest.importorskip("neo")
    segments, blocks = [], []
    for start in (3.0, 4.0):
        train = neo.SpikeTrain([start], t_stop=9, units="ms")
        segments.append(segment_of(neo, train, label="cat"))
        blocks.append(neo.Block())
        blocks[-1].segments.append(segments[-1])
    for source in (segments, blocks):
        with refused(DataError, hint=re.compile("numpy.unique")):
            convert(source, (1,))
        data = convert(source, (1,), labels=[0, 1])
        assert np.asarray(data.labels).tolist() == [0, 1]
        assert times_of(data) == pytest.approx([3.0, 4.0])
    trains = [[segment.spiketrains[0]] for segment in segments]
    with refused(DataError, hint=re.compile(r"Data.of_trains\(trains\)")):
        convert(trains, (1,))
    assert len(Data.of_trains(trains)) == 2


def test_recordings_of_neo_come_back() -> None:
    pytest.importorskip("neo")
    from bioae.analysis import example_result, to_neo

    result = example_result()
    layer = result["layers/conv"]
    block = to_neo(result, "conv")
    data = convert(block, (layer.sizes["neuron"],))
    assert len(data) == result.sizes["example"]
    if "label" in result:
        np.testing.assert_array_equal(data.labels, result["label"].values)
    first = {int(each): place for place, each in enumerate(result["example"].values)}
    places = np.array([first[int(each)] for each in layer["spike_example"].values])
    times, neurons = layer["spike_time_ms"].values, layer["spike_neuron"].values
    order = np.lexsort((neurons, times, places))
    assert len(order) > 100
    values: Any = data.values
    np.testing.assert_array_equal(values.example, places[order])
    np.testing.assert_array_equal(values.channel, neurons[order])
    np.testing.assert_allclose(values.time, times[order], rtol=0, atol=1e-9)
    assert len(convert(block.segments[0], (layer.sizes["neuron"],))) == 1


def test_trains_of_a_segment_of_neo_stay_simultaneous() -> None:
    neo = pytest.importorskip("neo")
    train = neo.SpikeTrain
    first = segment_of(
        neo, train([10.0, 12.0], t_stop=20, units="ms"),
        train([0.01], t_start=0.005, t_stop=0.02, units="s"),
    )  # fmt: skip
    late = [train([105.0], t_start=start, t_stop=110, units="ms") for start in (102.0, 100.0)]
    block = neo.Block()
    block.segments.extend([first, segment_of(neo, *late)])
    for data in (convert(block, (2,)), convert(block, (2,), limit=2)):
        assert times_of(data) == pytest.approx([10.0, 10.0, 12.0, 5.0, 5.0])
        assert channels_of(data) == [0, 1, 0, 0, 1]
    assert times_of(convert(late, (2,))) == pytest.approx([5.0, 5.0])


def test_a_monitor_of_brian2_is_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    group = SpikeGeneratorGroup(4, [0, 3, 1], [0.5, 1.0, 2.0] * ms, dt=0.1 * ms)
    monitor = SpikeMonitor(group)
    Network(group, monitor).run(3 * ms)
    data = convert(monitor, (4,))
    assert channels_of(data) == [0, 3, 1]
    assert times_of(data) == pytest.approx([0.5, 1.0, 2.0])
