"""Layout of figures: nothing is cut off or overlaps, and labels of a column are aligned."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from bioae.analysis import plots
from bioae.analysis.firing.rates import firing_rate
from bioae.analysis.plots.legends import head, share_legend
from bioae.analysis.plots.panels import figure_of, panels
from bioae.analysis.plots.rendering import lay_out
from bioae.analysis.results.layers import layer_names
from bioae.analysis.results.tutorial import example_result


def _panels() -> Figure:
    """Return panels with labels of very different widths."""
    names = [f"layer {place}" for place in range(5)]
    axes = panels(names, 2.2, "time (ms)")
    for place, (name, panel) in enumerate(axes.items()):
        panel.plot([0, 1], [0, 10.0 ** (2 * place)], label="a result")
        panel.set_ylabel("neurons")
        head(panel, name, "median:" if place % 2 else "", [(n, f"{n} ms") for n in range(9)])
    share_legend(axes.values(), ax=None)
    return figure_of(axes.values())


def _rates() -> Figure:
    tree = example_result()
    return plots.fitted_rates({"a": {n: firing_rate(tree, n) for n in layer_names(tree)}})


CASES = [
    _panels,
    _rates,
    lambda: plots.rasters(example_result()),
    lambda: plots.population_activity({"a": example_result(), "b": example_result()}, "latent"),
    lambda: plots.reconstructions({"a long name of a result": example_result()}, images=3),
]


def _extents(figure: Figure) -> dict[Axes, Bbox]:
    renderer = FigureCanvasAgg(figure).get_renderer()
    return {axes: axes.get_tightbbox(renderer) for axes in figure.axes if axes.axison}


@pytest.mark.parametrize("draw", CASES)
def test_panels_are_inside_and_apart(draw: Callable[[], Figure]) -> None:
    figure = draw()
    lay_out(figure)
    extents = _extents(figure)
    assert len(extents) > 1
    for box in extents.values():
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    for one, other in itertools.combinations(extents.values(), 2):
        assert Bbox.intersection(one, other) is None


@pytest.mark.parametrize("draw", CASES)
def test_labels_of_a_column_are_aligned_and_clear_of_the_ticks(
    draw: Callable[[], Figure],
) -> None:
    figure = draw()
    lay_out(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()
    columns: dict[int, set[float]] = {}
    for axes in _extents(figure):
        label = axes.yaxis.label.get_window_extent(renderer)
        columns.setdefault(round(axes.bbox.x0), set()).add(round(label.x1, 3))
        for tick in axes.get_yticklabels():
            text = tick.get_window_extent(renderer)
            if tick.get_text() and axes.bbox.y0 <= text.y0 <= axes.bbox.y1:
                assert text.x0 > label.x1
        if axes.get_xlabel():
            lowest = axes.xaxis.label.get_window_extent(renderer)
            assert all(t.get_window_extent(renderer).y0 > lowest.y1 for t in axes.get_xticklabels())
    assert columns
    assert all(len(rights) == 1 for rights in columns.values())
