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
from bioae.analysis.plots.panels import figure_of, head, panels, share_legend
from bioae.analysis.results.layers import layer_names
from bioae.analysis.results.tutorial import example_result


def _panels() -> Figure:
    """Return panels with labels of very different widths."""
    names = [f"layer {place}" for place in range(5)]
    axes = panels(names, (3.6, 2.2), "time (ms)", ax=None, most=2)
    for place, (name, panel) in enumerate(axes.items()):
        panel.plot([0, 1], [0, 10.0 ** (2 * place)], label="a result")
        panel.set_ylabel("neurons")
        head(panel, f"a long name of {name}" * 4, [(n, f"{n} ms") for n in range(9 * place)])
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


@pytest.mark.medium
@pytest.mark.parametrize("draw", CASES)
def test_panels_are_inside_and_apart(draw: Callable[[], Figure]) -> None:
    figure = draw()
    figure.draw_without_rendering()
    extents = _extents(figure)
    assert len(extents) > 1
    for box in extents.values():
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    for one, other in itertools.combinations(extents.values(), 2):
        assert Bbox.intersection(one, other) is None
