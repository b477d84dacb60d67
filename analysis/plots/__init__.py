"""Figures of results: each function returns a matplotlib figure, and touches no global state.

One kind of figure a file; what they share (fonts, colours, saving) is in `style`.
"""

from __future__ import annotations

from bioae.analysis.plots.images import reconstructions
from bioae.analysis.plots.rasters import rasters
from bioae.analysis.plots.rates import rate_histograms
from bioae.analysis.plots.style import save_figure, to_svg
from bioae.analysis.plots.training import training_curves

__all__ = [
    "rasters",
    "rate_histograms",
    "reconstructions",
    "save_figure",
    "to_svg",
    "training_curves",
]
