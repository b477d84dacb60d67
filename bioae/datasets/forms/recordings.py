"""Recordings of events: of event cameras, of Neo, and of monitors of Brian2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from bioae.checks import one_of, whole
from bioae.datasets.checks import as_array
from bioae.datasets.data import Data
from bioae.datasets.forms.registry import RecordedUnit, Request, form, is_list, is_recording
from bioae.errors import DataError
from bioae.units import has_unit, in_ms

_PER_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
#: The names in use for the fields of an event.
_FIELDS = {
    "t": ("t", "ts", "time", "timestamp"),
    "x": ("x",),
    "y": ("y",),
    "p": ("p", "pol", "polarity"),
}


@form(lambda source: is_recording(source) or is_list(source, is_recording), "sensor", "time_unit")
def recordings(source: Any, request: Request) -> Data:
    """Return the events of recordings of event cameras, one for each example.

    Recordings are structured arrays (event) with the fields t and x, and perhaps y and p, or
    mappings of such arrays. The channel of an event is ``(p * rows + y) * columns + x``; p is left
    out if there is one polarity.
    """
    where = request.name or "a recording"
    unit = request.time_unit or "us"
    one_of(unit, f"{where}: time_unit", get_args(RecordedUnit), error=DataError)
    channels = request.shape[0] if request.shape is not None and len(request.shape) == 1 else None
    fields = [_fields(each, unit, where) for each in ([source] if is_recording(source) else source)]
    columns, rows, polarities = _size(fields[0], request.sensor, channels, where)
    ports = []
    for each in fields:
        x = _below(each, "x", columns, where)
        y = _below(each, "y", rows, where)
        p = _below(each, "p", polarities, where) if polarities > 1 else 0
        ports.append(np.broadcast_to((p * rows + y) * columns + x, each["t"].shape))
    return Data.of_events(
        np.repeat(np.arange(len(fields)), list(map(len, ports))),
        np.concatenate([each["t"] for each in fields]),
        np.concatenate(ports),
        channels=columns * rows * polarities,
        unit="step" if unit == "step" else "ms",
        examples=len(fields),
        **request.source,
    )


@form(lambda source: all(hasattr(source, name) for name in ("i", "t", "source")))
def monitors(source: Any, _: Request) -> Data:
    """Return the spikes of a `SpikeMonitor` of Brian2 as one example; its neurons are channels."""
    neuron, seconds = np.asarray(source.i), np.asarray(source.t)
    return Data.of_events(
        np.zeros(len(neuron), int), seconds * 1e3, neuron,
        channels=len(source.source), examples=1, name="a monitor of Brian2",
    )  # fmt: skip


def _is_neo(source: Any) -> bool:
    """Return whether an object looks like a Block, a Segment or a SpikeTrain of Neo."""
    return hasattr(source, "segments") or hasattr(source, "spiketrains") or _is_train(source)


@form(lambda source: _is_neo(source) or is_list(source, _is_neo))
def neo(source: Any, request: Request) -> Data:
    """Return the spikes of a Block, a Segment, a SpikeTrain, or a list of one of them, of Neo.

    Segments are examples, and trains are channels. Times are since the start of the segment, or
    since the earliest start of trains without one. The annotations ``label`` of the segments, if
    all have one, are the labels.
    """
    segments = _segments_of(source)
    trains = [_trains_of(segment) for segment in segments]
    known = [getattr(each, "annotations", {}).get("label") for each in segments]
    labels = None if "labels" in request.known or None in known else np.asarray(known)
    times = [_times_of(*each) for each in zip(segments, trains, strict=True)]
    return Data.of_trains(times, labels=labels, name="a recording of Neo")


def _is_train(source: Any) -> bool:
    return all(hasattr(source, name) for name in ("t_start", "t_stop", "rescale", "magnitude"))


def _segments_of(source: Any) -> list[Any]:
    """Return the segments of a source; a train, or a list of trains, is one."""
    if hasattr(source, "segments"):
        return list(source.segments)
    if isinstance(source, list | tuple) and not all(map(_is_train, source)):
        return [segment for each in source for segment in _segments_of(each)]
    return [source]


def _trains_of(segment: Any) -> list[Any]:
    if hasattr(segment, "spiketrains"):
        return list(segment.spiketrains)
    return [segment] if _is_train(segment) else list(segment)


def _times_of(segment: Any, trains: Sequence[Any]) -> list[NDArray[np.float64]]:
    """Return the times of trains in ms since one origin, so that they stay simultaneous."""
    start = getattr(segment, "t_start", None)
    starts = [each.t_start for each in trains] if start is None else [start]
    origin = min((_in_ms(each).item() for each in starts), default=0.0)
    return [_in_ms(train) - origin for train in trains]


def _in_ms(times: Any) -> NDArray[np.float64]:
    return np.asarray(in_ms(times, "times of a recording"), np.float64)


def _fields(
    recording: NDArray[Any] | Mapping[str, Any], unit: RecordedUnit, where: str
) -> dict[str, NDArray[Any]]:
    """Return the fields of a recording by their short names; times are in ms, or steps."""
    names: Sequence[str] = (
        list(recording) if isinstance(recording, Mapping) else recording.dtype.names or ()
    )
    fields = {}
    for short, known in _FIELDS.items():
        name = next((each for each in known if each in names), None)
        if name is not None:
            place = f"{where}: {name}"
            fields[short] = (
                _time(recording[name], unit, place)
                if short == "t"
                else as_array(recording[name], place)
            )
    missing = [short for short in ("t", "x") if short not in fields]
    shapes = {each.shape for each in fields.values()}
    if missing or len(shapes) != 1 or any(len(shape) != 1 for shape in shapes):
        raise DataError(
            f"the field {missing[0]} of the events is missing"
            if missing
            else "the fields of the events differ in shape",
            where=where, expected="fields t and x, and perhaps y and p, shape (event,)",
            found=", ".join(map(str, names if missing else shapes)),
        )  # fmt: skip
    return fields


def _time(times: Any, unit: RecordedUnit, where: str) -> NDArray[Any]:
    """Return the times of a recording in ms, or the numbers of steps."""
    if unit == "step":
        return as_array(times, where)
    if has_unit(times):
        return np.asarray(in_ms(times, where))
    numbers = as_array(times, where)
    if numbers.dtype.kind not in "buif":
        raise DataError("the times are not numbers", where=where, found=f"the type {numbers.dtype}")
    return numbers * _PER_MS[unit]


def _size(
    fields: Mapping[str, NDArray[Any]], sensor: Any, channels: int | None, where: str
) -> tuple[int, ...]:
    """Return the numbers of columns, rows and polarities."""
    if sensor is None and channels is not None and set(fields) == {"t", "x"}:
        return channels, 1, 1
    size = () if sensor is None or np.ndim(sensor) != 1 else tuple(sensor)
    if len(size) != 3:
        raise DataError(
            "the size of the sensor is not known" if sensor is None else "sensor does not fit",
            where=where, expected="the numbers of columns, rows and polarities",
            found=None if sensor is None else repr(sensor),
            hint="Give it, such as sensor=(34, 34, 2): tonic's data sets have it as sensor_size",
        )  # fmt: skip
    size = tuple(whole(n, f"{where}: sensor", least=1, most=2**31, error=DataError) for n in size)
    if channels is not None and math.prod(size) != channels:
        what, found = "the sensor does not fit the network", "{} x {} x {}".format(*size)
        raise DataError(what, where=where, expected=f"{channels} channels", found=found)
    return size


def _below(
    fields: Mapping[str, NDArray[Any]], name: str, end: int, where: str
) -> NDArray[np.int64] | int:
    """Return a field as whole numbers below an end; 0 if there is none and it would be 0."""
    expected = f"whole numbers from 0 to {end - 1}"
    if name not in fields:
        if end == 1:
            return 0
        what = f"the field {name} of the events is missing"
        raise DataError(what, where=where, expected=expected)
    values = fields[name]
    real = values.dtype.kind in "biuf"
    if not real or not ((values >= 0) & (values < end) & (values == np.floor(values))).all():
        raise DataError(
            f"the field {name} of an event is outside the sensor", where=where, expected=expected,
            found=f"{values.min()} to {values.max()}" if real and values.size else None,
        )  # fmt: skip
    return values.astype(np.int64)
