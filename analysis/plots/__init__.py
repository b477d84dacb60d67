"""Figures of results: each function returns a matplotlib figure, without global state.

A function makes a new figure, or draws into the axes `ax` and returns their figure. A new kind of
figure belongs here; fonts and colours are in `style`, panels in `panels`, their titles and legends
in `legends`, saving is in `rendering`.
"""

from __future__ import annotations

from bioae.analysis.plots.activity import population_activity, rasters
from bioae.analysis.plots.curves import training_curves, transfer_curves
from bioae.analysis.plots.images import filter_grid, reconstructions
from bioae.analysis.plots.intervals import cv_against_rate, interval_histograms, response_latencies
from bioae.analysis.plots.maps import correlation_matrices, latent_maps
from bioae.analysis.plots.outputs import (
    class_rates,
    confusion_matrices,
    output_traces,
    predicted_values,
)
from bioae.analysis.plots.rates import fitted_rates
from bioae.analysis.plots.rendering import save_figure, to_svg
from bioae.analysis.plots.signals import input_signals
from bioae.analysis.plots.style import print_style
from bioae.analysis.plots.weights import weight_courses, weight_histograms

__all__ = [
    "class_rates",
    "confusion_matrices",
    "correlation_matrices",
    "cv_against_rate",
    "filter_grid",
    "fitted_rates",
    "input_signals",
    "interval_histograms",
    "latent_maps",
    "output_traces",
    "population_activity",
    "predicted_values",
    "print_style",
    "rasters",
    "reconstructions",
    "response_latencies",
    "save_figure",
    "to_svg",
    "training_curves",
    "transfer_curves",
    "weight_courses",
    "weight_histograms",
]


def __dir__() -> list[str]:
    """List the functions, without the modules that define them."""
    return [*__all__]
