"""What figures share that lay several results over one another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes

from bioae.analysis.plots.style import COLOURS, LINES
from bioae.errors import ResultError

__all__ = ["MARKERS", "colour_of", "head", "layers_in", "line_of", "needed"]

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")


def line_of(index: int) -> dict[str, Any]:
    """Return the colour and style of the line of a result: either alone tells it apart."""
    return {"color": colour_of(index), "linestyle": LINES[index % len(LINES)]}


def colour_of(index: int) -> str:
    """Return the colour of a result."""
    return COLOURS[index % len(COLOURS)]


def layers_in(results: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the layers that any result has, in their order."""
    return list(dict.fromkeys(str(layer) for layers in results.values() for layer in layers))


def needed(items: object, what: str) -> None:
    """Refuse to draw nothing.

    Raises
    ------
    ResultError
        Saying what there is none of.
    """
    if not items:
        raise ResultError(f"there are no {what} to draw", expected="at least one result")


def head(axes: Axes, title: str, *, columns: int = 1) -> None:
    """Put the legend above a panel, where it cannot hide a line, and the title above it."""
    handles, _ = axes.get_legend_handles_labels()
    if not handles:
        axes.set_title(title)
        return
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), borderpad=0.2, ncols=columns
    )
    rows = -(-len(legend.get_texts()) // columns)
    axes.set_title(title, pad=8 + 12.5 * rows)
