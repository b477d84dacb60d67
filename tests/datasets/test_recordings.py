"""Events of event cameras, Neo and Brian2, and spike trains, against plain lists of addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from brian2 import Network, SpikeGeneratorGroup, SpikeMonitor, ms, prefs, volt

from bioae.datasets import Data, convert
from bioae.errors import DataError

WIDTH, HEIGHT = 5, 3
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

    sensor_size = (WIDTH, HEIGHT, 2)

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


def frames_of(recordings: list[np.ndarray], points: int, us: float) -> np.ndarray:
    """Count events one by one: (example, time, channel)."""
    frames = np.zeros((len(recordings), points, 2, HEIGHT, WIDTH))
    for example, each in enumerate(recordings):
        for x, y, p, t in each:
            frames[example, int(t // us), int(p), y, x] += 1
    return frames.reshape(len(recordings), points, CHANNELS)


@pytest.mark.parametrize(
    ("source", "count", "options"),
    [
        (RECORDINGS, 3, {"sensor": (WIDTH, HEIGHT, 2)}),
        (RECORDINGS[0], 1, {"sensor": (WIDTH, HEIGHT, 2)}),
        (Tonic(), 3, {}),
        (Part(Tonic()), 2, {}),
        ({name: RECORDINGS[0][name] for name in "xypt"}, 1, {"sensor": (WIDTH, HEIGHT, 2)}),
    ],
    ids=["list", "single", "data set", "part", "mapping"],
)
def test_structured_arrays_of_events(source: Any, count: int, options: Any) -> None:
    data = convert(source, (CHANNELS,), **options)
    assert isinstance(data, Data)
    frames = data.frames(9)
    assert frames.sum() >= 40
    assert (frames == frames_of(RECORDINGS[:count], 9, 1000.0)).all()
    if isinstance(source, Tonic):
        assert data.labels is not None
        assert data.labels.tolist() == [5, 6, 7]


def test_units_and_fields_by_other_names() -> None:
    made = np.zeros(3, [("ts", float), ("x", int)])
    made["ts"], made["x"] = [0.001, 0.0025, 0.004], [0, 3, 1]
    data = convert(made, (4,), time_unit="s")  # x alone: the channels of the network
    assert isinstance(data, Data)
    assert data.values.time.tolist() == [1.0, 2.5, 4.0]
    assert data.values.channel.tolist() == [0, 3, 1]
    steps = convert({"t": [0, 2, 2], "x": [0, 1, 0], "p": [1, 1, 1]}, sensor=(2, 1, 1),
                    time_unit="step")  # fmt: skip
    assert isinstance(steps, Data)
    assert steps.values.unit == "step"
    assert steps.frames(3)[0].tolist() == [[1, 0], [0, 0], [1, 1]]


def test_files_of_events(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", RECORDINGS[0])
    np.savez(tmp_path / "one.npz", **{name: RECORDINGS[0][name] for name in "xypt"})
    for name in ("one.npy", "one.npz"):
        data = convert(tmp_path / name, (CHANNELS,), sensor=(WIDTH, HEIGHT, 2))
        assert isinstance(data, Data)
        assert (data.frames(9) == frames_of(RECORDINGS[:1], 9, 1000.0)).all()
        with pytest.raises(DataError, match=rf"{name}: the size of the sensor is not known"):
            convert(tmp_path / name, (CHANNELS,))


@pytest.mark.parametrize(
    ("source", "options", "line"),
    [
        (RECORDINGS, {}, "Give it, such as sensor="),
        (RECORDINGS, {"sensor": (5, 3)}, "sensor does not fit"),
        (RECORDINGS, {"sensor": (4, 3, 2)}, "the sensor does not fit the network"),
        (RECORDINGS, {"sensor": (3, 5, 2)}, "the field x of an event is outside the sensor"),
        (RECORDINGS, {"sensor": (5, 3, 2), "time_unit": "h"}, "time_unit does not fit"),
        (RECORDINGS, {"sensor": (5, 3, 2), "layout": "NTC"}, "layout has no effect"),
        (np.zeros(2, [("t", int), ("y", int)]), {"sensor": (5, 3, 2)}, "field x .* is missing"),
        (np.zeros(2, [("t", int), ("x", int)]), {"sensor": (5, 3, 2)}, "field y .* is missing"),
        ({"t": [-1], "x": [0]}, {}, "a time is negative"),
        ({"t": [1, 2], "x": [0]}, {}, "differ in shape"),
        ({"t": [1], "x": [0.5]}, {}, "whole numbers from 0 to 29"),
    ],
)
def test_recordings_that_do_not_fit_are_refused(source: Any, options: Any, line: str) -> None:
    with pytest.raises(DataError, match=line):
        convert(source, (CHANNELS,), **options)


def test_spike_trains() -> None:
    trains = [[[1.0, 3.5], []], [[], [2.0, 0.5, 9.0]]]
    data = Data.of_trains(trains, labels=[1, 0])
    assert data.shape == (2,)
    assert data.values.example.tolist() == [0, 0, 1, 1, 1]
    assert data.values.channel.tolist() == [0, 0, 1, 1, 1]
    assert data.values.time.tolist() == [1.0, 3.5, 0.5, 2.0, 9.0]
    assert len(Data.of_trains([[[]], [[]]])) == 2
    for wrong in ([], [[]], [[[1.0]], [[1.0], [2.0]]]):
        with pytest.raises(DataError, match="spike trains"):
            Data.of_trains(wrong)


def test_times_with_a_unit_are_converted() -> None:
    pq = pytest.importorskip("quantities")
    expected = [5.0, 17.0]
    for times in ([5, 17] * ms, [5 * ms, 17 * ms], [0.005, 0.017] * pq.s, [5.0, 17.0]):
        for made in (
            Data.of_events([0, 0], times, [0, 0], channels=1),
            Data.of_trains([[times]]),
            convert({"t": times, "x": [0, 0]}, (1,), time_unit="ms"),
        ):
            assert isinstance(made, Data)
            assert made.values.time.tolist() == pytest.approx(expected)
    given = convert({"t": [5, 17] * ms, "x": [0, 0]}, (1,))
    assert given.values.time.tolist() == pytest.approx(expected)
    for wrong in ([5, 17] * volt, [5, 17] * pq.V, [5 * volt, 17 * volt]):
        with pytest.raises(DataError, match="no unit of time; expected ms or s; found"):
            Data.of_trains([[wrong]])
    for make in (
        lambda: Data.of_events([0, 0], [5, 17] * ms, [0, 0], channels=1, unit="step"),
        lambda: Data.of_trains([[[5, 17] * ms]], unit="step"),
        lambda: convert({"t": [5, 17] * ms, "x": [0, 0]}, (1,), time_unit="step"),
    ):
        with pytest.raises(DataError, match="the values have a unit"):
            make()


def test_lists_of_neo_hold_examples() -> None:
    neo = pytest.importorskip("neo")
    segments, blocks = [], []
    for start in (3.0, 4.0):
        segment = neo.Segment(label="cat")
        segment.spiketrains.append(neo.SpikeTrain([start], t_stop=9, units="ms"))
        block = neo.Block()
        block.segments.append(segment)
        segments.append(segment)
        blocks.append(block)
    for source in (segments, blocks):
        with pytest.raises(DataError, match="names of classes"):
            convert(source, (1,))
        data = convert(source, (1,), labels=[0, 1])
        assert isinstance(data, Data)
        assert data.labels is not None
        assert data.labels.tolist() == [0, 1]
        assert data.values.time.tolist() == pytest.approx([3.0, 4.0])
    trains = [[segment.spiketrains[0]] for segment in segments]
    with pytest.raises(DataError, match=r"Data.of_trains\(trains\)"):
        convert(trains, (1,))
    assert len(Data.of_trains(trains)) == 2


def test_recordings_of_neo_come_back() -> None:
    pytest.importorskip("neo")
    from bioae.analysis import example_result, to_neo

    result = example_result()
    layer = result["layers/conv"]
    block = to_neo(result, "conv")
    data = convert(block, (layer.sizes["neuron"],))
    assert isinstance(data, Data)
    assert len(data) == result.sizes["example"]
    if "label" in result:
        assert data.labels is not None
        assert (data.labels == result["label"].values).all()
    first = {int(each): place for place, each in enumerate(result["example"].values)}
    places = np.array([first[int(each)] for each in layer["spike_example"].values])
    times, neurons = layer["spike_time_ms"].values, layer["spike_neuron"].values
    order = np.lexsort((neurons, times, places))
    assert len(order) > 100
    assert (data.values.example == places[order]).all()
    assert (data.values.channel == neurons[order]).all()
    assert np.allclose(data.values.time, times[order], rtol=0, atol=1e-9)
    segment = convert(block.segments[0], (layer.sizes["neuron"],))
    assert len(segment) == 1


def test_trains_of_a_segment_of_neo_stay_simultaneous() -> None:
    neo = pytest.importorskip("neo")
    segment = neo.Segment()
    segment.spiketrains.append(neo.SpikeTrain([10.0, 12.0], t_stop=20, units="ms"))
    segment.spiketrains.append(neo.SpikeTrain([0.01], t_start=0.005, t_stop=0.02, units="s"))
    later = neo.Segment()
    for start in (102.0, 100.0):
        later.spiketrains.append(neo.SpikeTrain([105.0], t_start=start, t_stop=110, units="ms"))
    block = neo.Block()
    block.segments.extend([segment, later])
    times = [10.0, 10.0, 12.0, 5.0, 5.0]
    for data in (convert(block, (2,)), convert(block, (2,), limit=2)):
        assert isinstance(data, Data)
        assert data.values.time.tolist() == pytest.approx(times)
        assert data.values.channel.tolist() == [0, 1, 0, 0, 1]
    trains = convert(list(later.spiketrains), (2,))
    assert isinstance(trains, Data)
    assert trains.values.time.tolist() == pytest.approx([5.0, 5.0])


def test_a_monitor_of_brian2_is_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(prefs, "codegen.target", "numpy")
    group = SpikeGeneratorGroup(4, [0, 3, 1], [0.5, 1.0, 2.0] * ms, dt=0.1 * ms)
    monitor = SpikeMonitor(group)
    Network(group, monitor).run(3 * ms)
    data = convert(monitor, (4,))
    assert isinstance(data, Data)
    assert data.values.channel.tolist() == [0, 3, 1]
    assert np.allclose(data.values.time, [0.5, 1.0, 2.0])


def test_the_usual_field_of_times_comes_first() -> None:
    both = {"timestamp": [1e9, 2e9], "t": [1000, 2000], "x": [0, 1]}
    assert convert(both, (CHANNELS,)).values.time.tolist() == [1.0, 2.0]
    with pytest.raises(DataError, match="the times are no numbers; found the type <U1"):
        convert({"t": ["a", "b"], "x": [0, 1]}, (CHANNELS,))


def test_times_of_which_some_have_a_unit_are_refused() -> None:
    for times in ([2.0, 3 * ms], [3 * ms, 2.0]):
        with pytest.raises(DataError, match="some of the times have a unit, others have none"):
            Data.of_events([0, 0], times, [0, 0], channels=1)
        with pytest.raises(DataError, match="some of the times have a unit, others have none"):
            Data.of_trains([[times]])


def test_units_of_other_libraries() -> None:
    class Quantity:
        """As of pint, and with other names of astropy."""

        def __init__(self, names: tuple[str, str], unit: str) -> None:
            setattr(self, names[0], np.array([2.0, 3.0]))
            setattr(self, names[1], unit)

        def to(self, unit: str) -> Any:
            return self

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return np.array([2.0, 3.0])

    def times(source: Any) -> list[float]:
        events = Data.of_events([0, 0], source, [0, 0], channels=1)
        found: list[float] = events.values.time.tolist()
        return found

    for names, milli, other in (
        (("magnitude", "units"), "millisecond", "volt"),
        (("value", "unit"), "ms", "V"),
    ):
        assert times(Quantity(names, milli)) == [2.0, 3.0]
        assert times(Quantity(names, "s")) == [2000.0, 3000.0]
        assert times(Quantity(names, "")) == [2.0, 3.0]
        with pytest.raises(DataError, match=f"no unit of time; expected ms or s; found {other}"):
            times(Quantity(names, other))
        with pytest.raises(DataError, match="the values have a unit"):
            convert(Quantity(names, other), (2,), layout="NC")
    array = xr.DataArray([2.0, 3.0], dims="spike", coords={"unit": ("spike", [7, 8])})
    assert times(array) == [2.0, 3.0]
    assert times(array.assign_attrs(units="s")) == [2000.0, 3000.0]
    assert times(array.assign_attrs(units=b"ms")) == [2.0, 3.0]
    assert times(array.assign_attrs(units=None)) == [2.0, 3.0]
    with pytest.raises(DataError, match="no unit of time; expected ms or s; found mV"):
        times(array.assign_attrs(units="mV"))
    images = xr.DataArray(np.ones((2, 1, 3, 4)), attrs={"units": "counts"})  # is no quantity
    assert len(convert(images, (1, 3, 4))) == 2
    seen = convert({"t": [1, 2], "x": xr.DataArray([0, 1], attrs={"units": "pixel"})}, (2,))
    assert seen.values.channel.tolist() == [0, 1]
