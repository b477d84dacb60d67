"""Layout of a grid of panels from one measurement of its texts.

Matplotlib's layout engines measure all texts twice, which takes as long as drawing them.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import LayoutEngine
from numpy.typing import NDArray

__all__ = ["GridLayout"]

_EDGE = 0.04  # inches between texts and the edge of the figure
_GAP = 0.08  # inches between the texts of neighbours


class GridLayout(LayoutEngine):
    """Leave room for titles, ticks and labels between the panels of one grid, and a legend above.

    Not for colour bars, or texts that belong to the figure.
    """

    _adjust_compatible = True
    _colorbar_gridspec = True

    def execute(self, fig: Figure) -> None:
        """Place the panels."""
        renderer = FigureCanvasAgg(fig).get_renderer()  # type: ignore[no-untyped-call]
        panels = self._panels = [axes for axes in fig.axes if axes.axison]
        margins = np.transpose([_margins(axes, renderer) for axes in panels]) / fig.dpi
        self._labels = [_label_distances(axes) for axes in panels]
        spans = [panel.get_subplotspec() for panel in panels]
        columns, rows = (
            np.array([getattr(span, name).start for span in spans])
            for name in ("colspan", "rowspan")
        )
        width, height = fig.get_size_inches()
        (left, right), wspace = _along(columns, margins[:2], width)
        # Rows are counted from the top.
        above = sum(each.get_window_extent(renderer).height for each in fig.legends) / fig.dpi
        (top, bottom), hspace = _along(rows, margins[:1:-1], height, above)
        fig.subplots_adjust(
            left=left / width, right=1 - right / width, bottom=bottom / height,
            top=1 - top / height, wspace=wspace, hspace=hspace,
        )  # fmt: skip
        for axes in panels:
            axes.apply_aspect()

    def hold_labels(self) -> None:
        """Keep the distances of axis labels, which each drawing would measure again.

        Vertical labels of the same column are aligned.
        """
        places = [round(axes.bbox.x0) for axes in self._panels]
        leftmost = dict.fromkeys(places, 0.0)
        for place, (x, _) in zip(places, self._labels, strict=True):
            leftmost[place] = min(leftmost[place], x)
        for axes, place, (_, y) in zip(self._panels, places, self._labels, strict=True):
            axes.yaxis.set_label_coords(leftmost[place] / axes.bbox.width, 0.5)
            axes.xaxis.set_label_coords(0.5, y / axes.bbox.height)


def _margins(axes: Axes, renderer: RendererBase) -> tuple[float, float, float, float]:
    """Return the extents of texts left, right, below and above of a panel, in pixels."""
    outer = axes.get_tightbbox(renderer, for_layout_only=True)
    inner = axes.bbox
    assert outer is not None
    return inner.x0 - outer.x0, outer.x1 - inner.x1, inner.y0 - outer.y0, outer.y1 - inner.y1


def _label_distances(axes: Axes) -> tuple[float, float]:
    """Return the horizontal distance of the vertical label, and the vertical one of the other."""
    return (
        axes.yaxis.label.get_position()[0] - axes.bbox.x0,
        axes.xaxis.label.get_position()[1] - axes.bbox.y0,
    )


def _along(
    places: NDArray[np.int64], margins: NDArray[np.float64], size: float, first: float = 0.0
) -> tuple[tuple[float, float], float]:
    """Return both outer margins, and the space between panels over the panels' mean size.

    Parameters
    ----------
    places
        The column or row of each panel.
    margins
        The extents of texts before and after each panel, (2, panel).
    first
        Further space before all panels.
    """
    count = int(places.max()) + 1
    before, after = (
        np.array([own[places == place].max(initial=0) for place in range(count)]) for own in margins
    )
    outer = first + float(before[0]) + _EDGE, float(after[-1]) + _EDGE
    gap = float((after[:-1] + before[1:]).max(initial=0)) + _GAP
    panel = (size - sum(outer) - (count - 1) * gap) / count
    return outer, gap / max(panel, 0.01)
