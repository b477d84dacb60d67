"""Figures of results: each function returns a matplotlib figure, and touches no global state.

One kind of figure a file; what they share (fonts, colours, saving) is in `style` and `overlay`.
"""

from __future__ import annotations

from bioae.analysis.plots.correlations import correlation_matrices
from bioae.analysis.plots.filters import filter_grid
from bioae.analysis.plots.fits import fitted_rates
from bioae.analysis.plots.images import reconstructions
from bioae.analysis.plots.isi import interval_histograms
from bioae.analysis.plots.latent_map import latent_maps
from bioae.analysis.plots.population import population_activity
from bioae.analysis.plots.rasters import rasters
from bioae.analysis.plots.rates import rate_histograms
from bioae.analysis.plots.style import save_figure, to_svg
from bioae.analysis.plots.training import training_curves
from bioae.analysis.plots.transfer import transfer_curves
from bioae.analysis.plots.variation import cv_against_rate

__all__ = [
    "correlation_matrices",
    "cv_against_rate",
    "filter_grid",
    "fitted_rates",
    "interval_histograms",
    "latent_maps",
    "population_activity",
    "rasters",
    "rate_histograms",
    "reconstructions",
    "save_figure",
    "to_svg",
    "training_curves",
    "transfer_curves",
]
