"""Figures of results: each function returns a matplotlib figure, without global state.

The first argument is a result or the path of one, several by the names in legends and titles, or
the measures that the figure draws, as its help describes them; measures of results are computed,
of all layers that can fire or of those that `layers` names. ``result.bioae.plot.rasters()`` is
``rasters(result)``.

A function makes a new figure, or draws into the axes `ax` and returns their figure: one axes, a
sequence in the order of the panels, or a mapping from names of panels, of which some may be left
out. It raises a `ResultError` if there is nothing to draw: no result, no such layer or example, or
no images, labels, targets or neurons of which the figure is. A new kind of figure belongs here;
fonts, colours and files are in `style`, panels with their titles and legends in `panels`, results
and measures in `sources`.
"""

from __future__ import annotations

from bioae.analysis.plots.activity import input_signals, output_traces, population_activity, rasters
from bioae.analysis.plots.distributions import fitted_rates, interval_histograms, response_latencies
from bioae.analysis.plots.fits import fit_profile, fit_starts, recordings
from bioae.analysis.plots.images import filter_grid, reconstructions
from bioae.analysis.plots.learning import training_curves, weight_courses, weight_histograms
from bioae.analysis.plots.matrices import class_rates, confusion_matrices, correlation_matrices
from bioae.analysis.plots.relations import (
    cv_against_rate,
    latent_maps,
    predicted_values,
    transfer_curves,
)
from bioae.analysis.plots.style import print_style, save_figure, to_svg

__all__ = [
    "class_rates", "confusion_matrices", "correlation_matrices", "cv_against_rate",
    "filter_grid", "fit_profile", "fit_starts", "fitted_rates", "input_signals",
    "interval_histograms", "latent_maps", "output_traces", "population_activity",
    "predicted_values", "print_style", "rasters", "reconstructions", "recordings",
    "response_latencies", "save_figure", "to_svg", "training_curves", "transfer_curves",
    "weight_courses", "weight_histograms",
]  # fmt: skip


def __dir__() -> list[str]:
    """List the functions, without the modules that define them."""
    return [*__all__]
