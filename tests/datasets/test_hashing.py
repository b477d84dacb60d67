"""The hash of a data set: all that a run depends on, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import write_arrays

from bioae.datasets import Data, hashing, load
from bioae.datasets.hashing import data_sha256

COUNT = 5
KNOWN: dict[str, Any] = {"labels": np.arange(COUNT), "targets": np.linspace(0, 1, COUNT)[:, None]}
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 1, 3, 3), dtype=np.uint8)
VALUES = np.random.default_rng(1).normal(size=(COUNT, 4, 2)).astype(np.float32)
LISTS: Any = [[0, 0, 1, 3], [1, 2, 0, 3], [0, 1, 1, 0]]

DATA: list[Data] = [
    Data.of_images(PIXELS, labels=KNOWN["labels"], name="images", targets=KNOWN["targets"]),
    Data.of_signals(VALUES, **KNOWN),
    Data.of_events(*LISTS, channels=2, unit="step", **KNOWN),
]


def changed(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy with another last number."""
    copied = values.copy()
    copied.reshape(-1)[-1] += 1
    return copied


def others(data: Data) -> list[Data]:
    """Return data sets that differ in one thing each."""
    found: list[Data] = [
        replace(data, indices=changed(data.indices)),
        replace(data, labels=changed(KNOWN["labels"])),
        replace(data, labels=None),
        replace(data, targets=changed(KNOWN["targets"])),
        replace(data, targets=None),
        data[:-1],
        data[::-1],
    ]
    if data.kind != "events":
        return [*found, replace(data, values=changed(data.values))]
    addresses: Any = data.values
    changes: list[dict[str, Any]] = [{"unit": "ms"}, {"channels": 3}]
    changes += [{name: changed(getattr(addresses, name))} for name in ("counts", "time", "channel")]
    return [*found, *(replace(data, values=replace(addresses, **each)) for each in changes)]


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
def test_whatever_a_run_depends_on_changes_the_hash(data: Data) -> None:
    hashes = [data_sha256(data), *map(data_sha256, others(data))]
    assert len(set(hashes)) == len(hashes) > 7
    assert len(hashes[0]) == 64


@pytest.mark.parametrize("data", DATA, ids=lambda data: type(data).__name__)
def test_a_copy_elsewhere_has_the_same_hash(data: Data) -> None:
    assert data_sha256(replace(data, name="elsewhere", split="all")) == data_sha256(data)


def test_signals_in_a_file_are_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_arrays(tmp_path / "signals.h5", signals=VALUES, **KNOWN)
    stored = load(str(path))
    assert isinstance(stored, Data)
    assert not isinstance(stored.values, np.ndarray)
    expected = [
        data_sha256(Data.of_signals(VALUES, **KNOWN)[which]) for which in (slice(None), [0, 3])
    ]
    read: list[int] = []
    whole = type(stored.values).__array__

    def reading(array: Any, *arguments: Any, **options: Any) -> Any:
        read.append(len(array))
        return whole(array, *arguments, **options)

    monkeypatch.setattr(type(stored.values), "__array__", reading)
    monkeypatch.setattr(hashing, "_BLOCK", 2 * VALUES[0].size)
    assert [data_sha256(stored), data_sha256(stored[[0, 3]])] == expected
    assert read == [2, 2, 1, 2]
