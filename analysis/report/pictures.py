"""Figures of a report before they are drawn, and as they are stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Illustration", "Picture"]


class Picture(NamedTuple):
    """An illustration as it is stored: the texts of `Illustration`, and the figure.

    Attributes
    ----------
    width
        In inches.
    svg, png
        The figure as files of these formats; `png` is empty unless it was asked for.
    """

    name: str
    heading: str
    caption: str
    width: float
    svg: str
    png: bytes


@dataclass(frozen=True)
class Illustration:
    """A figure to `draw`, the `name` of its file without suffix, its heading and its caption."""

    name: str
    heading: str
    caption: str
    draw: Callable[[], Figure]

    def picture(self, *, png: bool = False) -> Picture:
        """Draw the figure, and store it as SVG and, if asked for, as PNG."""
        from bioae.analysis.plots.style import render, to_svg

        figure = self.draw()
        return Picture(
            self.name,
            self.heading,
            self.caption,
            float(figure.get_figwidth()),
            to_svg(figure),
            render(figure, "png") if png else b"",
        )
