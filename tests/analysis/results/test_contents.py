"""Values of a result: each variable within its range, and all of them consistent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bioae.analysis import open_result
from bioae.analysis.results import contents
from bioae.analysis.results.tutorial import example_result
from bioae.errors import ResultError
from bioae.simulation import write_result

Change = Callable[[Any, Any], None]


def first(name: str, value: float) -> Change:
    """Return the change of the first number of a layer's variable."""

    def change(root: Any, layer: Any) -> None:
        layer[name][(0,) * layer[name].ndim] = value

    return change


def reverse(root: Any, layer: Any) -> None:
    layer["spike_time_ms"][:] = layer["spike_time_ms"][:][::-1]


def repeat(root: Any, layer: Any) -> None:
    for name in ("spike_time_ms", "spike_neuron", "spike_example"):
        layer[name][1] = layer[name][0]


def dates(root: Any, layer: Any) -> None:
    layer["spike_time_ms"].attrs["units"] = "seconds since 1970-01-01"
    layer["spike_time_ms"][0] = -5.0


def root_value(name: str, value: float) -> Change:
    def change(root: Any, layer: Any) -> None:
        root[name][(0,) * root[name].ndim] = value

    return change


def attribute(name: str, value: object) -> Change:
    def change(root: Any, layer: Any) -> None:
        root.attrs[name] = value

    return change


def long(root: Any, layer: Any) -> None:
    root.attrs["steps"] = 10**6
    layer["spike_time_ms"][0] += 0.3


def other_shape(root: Any, layer: Any) -> None:
    layer.attrs["shape"] = 1


BAD: dict[str, tuple[Change, str]] = {
    "a time that is NaN": (first("spike_time_ms", np.nan), "outside the presentation"),
    "a negative time": (first("spike_time_ms", -1.0), "outside the presentation"),
    "a late time": (first("spike_time_ms", 1e9), "outside the presentation"),
    "a time between steps": (first("spike_time_ms", 0.3), "not that of a step"),
    "a time between many steps": (long, "not that of a step"),
    "reversed times": (reverse, "not in order"),
    "a spike twice": (repeat, "not in order|not those counted"),
    "dates": (dates, "outside the presentation"),
    "a neuron": (first("spike_neuron", 10**6), "neuron is not in the layer"),
    "a negative neuron": (first("spike_neuron", -1), "neuron is not in the layer"),
    "an unknown example": (first("spike_example", 10**9), "not in order of the examples"),
    "a count": (first("spike_count", 3), "counted|not in order"),
    "a negative count": (first("spike_count", -1), "outside 0 to `steps`"),
    "a huge count": (first("spike_count", 2**30), "outside 0 to `steps`"),
    "an input above 1": (root_value("input", 2.0), "'input' has values"),
    "an input that is NaN": (root_value("input", np.nan), "'input' has values"),
    "an output that is infinite": (root_value("reconstruction", np.inf), "'reconstruction' has"),
    "no step": (attribute("dt_ms", 0.0), "dt_ms does not fit"),
    "NaN as step": (attribute("dt_ms", np.nan), "dt_ms is not finite"),
    "steps as text": (attribute("steps", "3"), "steps does not fit"),
    "half a step": (attribute("steps", 2.5), "steps does not fit"),
    "a seed below 0": (attribute("seed", -1), "seed does not fit"),
    "a model that is a number": (attribute("neuron_model", 1), "neuron_model does not fit"),
    "another shape": (other_shape, "the shape does not fit the neurons"),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result as a file; not to be written to."""
    path = tmp_path_factory.mktemp("good") / "r.nc"
    write_result(example_result(), path)
    return path


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_a_changed_value_is_refused(case: str, lazy: bool, path: Path, tmp_path: Path) -> None:
    change, line = BAD[case]
    changed = tmp_path / "changed.nc"
    changed.write_bytes(path.read_bytes())
    with h5py.File(changed, "r+") as file:
        change(file, next(iter(file["layers"].values())))
    with pytest.raises(ResultError, match=line) as caught:
        open_result(changed, lazy=lazy)
    assert str(caught.value).startswith(str(changed))


def test_blocks_of_any_size_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "_BLOCK", 1)
    assert open_result(path).attrs["steps"] > 0
