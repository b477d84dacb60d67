"""Pictures of signals and outputs: one legend, equal axes, numbers of any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from bioae.analysis import plots
from bioae.analysis.plots.style import render, span

Make = Callable[..., xr.DataTree]
STEPS = 6


def sequence(make: Make, output: NDArray[Any], channels: int = 2, **changes: Any) -> xr.DataTree:
    """Return a result of signals, one output per step."""
    rng = np.random.default_rng(0)
    examples = len(output)
    signals = rng.random((examples, STEPS, channels)) * np.arange(1, examples + 1)[:, None, None]
    raster = np.ones((examples, STEPS, 3), bool)
    arguments = {"images": signals, "task": "sequence", "output": output, "desired": output + 1}
    return make(raster, **(arguments | changes))


def test_signals_have_one_legend_and_equal_axes(make: Make) -> None:
    tree = sequence(make, np.zeros((3, STEPS, 2)))
    figure = plots.input_signals({"r": tree})
    first, *others = figure.axes
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["channel 0", "channel 1"]
    assert len(others) == 2
    assert all(each.get_legend() is None for each in figure.axes)
    for each in others:
        assert each.get_ylim() == first.get_ylim()
        assert each.get_xlim() == first.get_xlim() == (0, STEPS * 0.5)
    signals = tree["input"].to_numpy()
    assert first.get_ylim()[0] < signals.min() < signals.max() < first.get_ylim()[1]


@pytest.mark.medium
@pytest.mark.parametrize("value", [1e308, 1e300, 1e-300, 0.0])
def test_outputs_of_any_size_are_drawn(make: Make, value: float) -> None:
    signs = np.where(np.arange(3 * STEPS * 2) % 3 == 0, -1, 1).reshape(3, STEPS, 2)
    tree = sequence(make, signs * value, desired=-signs * value)
    flat = {"task": "regression", "output": signs[:, 0] * value, "desired": -signs[:, 0] * value}
    other = make(np.ones((3, STEPS, 3), bool), **flat)
    for figure in (plots.output_traces({"r": tree}), plots.predicted_values({"r": other})):
        assert render(figure, "png").startswith(b"\x89PNG")


def test_regressions_have_equal_axes(make: Make) -> None:
    desired = np.array([[0.0], [1.0], [5.0]])
    raster = np.ones((3, STEPS, 3), bool)
    results = {
        name: make(raster, task="regression", output=desired * factor, desired=desired)
        for name, factor in (("a", 0.5), ("b", 2.0))
    }
    first, second = plots.predicted_values(results).axes
    assert first.get_xlim() == first.get_ylim() == second.get_xlim() == second.get_ylim()
    assert first.get_xlim() == span([np.array([0.0, 10.0])])
