"""The figures of a report, each with its caption."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Illustration", "illustrate"]


@dataclass(frozen=True, eq=False)
class Illustration:
    """A figure, the `name` of its file without suffix, its heading and its caption."""

    name: str
    heading: str
    caption: str
    figure: Figure

    @cached_property
    def svg(self) -> str:
        """The figure as the text of an SVG file."""
        from bioae.analysis.plots import to_svg

        return to_svg(self.figure)


def illustrate(
    results: Mapping[str, xr.DataTree],
    metrics: Mapping[str, Path | str] | None = None,
    *,
    metrics_keys: Sequence[str] | None = None,
    images: int = 10,
) -> list[Illustration]:
    """Draw images, rates, a raster of each result, and training curves where there are metrics.

    Parameters
    ----------
    results
        The results by name.
    metrics
        The files of training metrics by the names of the runs.
    metrics_keys
        Which metrics to draw; by default every one that changes.
    images
        How many images to show.

    Raises
    ------
    ResultError
        If there is no result, or the metrics cannot be read.
    """
    # matplotlib takes a while to import.
    from bioae.analysis import plots

    drawn = [
        Illustration(
            "reconstructions",
            "Inputs and reconstructions",
            "Each image above what came out; below it, the squared error summed over its pixels.",
            plots.reconstructions(results, images=images),
        ),
        Illustration(
            "rates",
            "Firing rates",
            "How many neurons fire at which rate, averaged over all examples. A neuron that "
            "never fires has no place on a logarithmic axis; the labels count those.",
            plots.rate_histograms(results),
        ),
        *(_raster(place, name, tree) for place, (name, tree) in enumerate(results.items(), 1)),
    ]
    if metrics:
        curves = plots.training_curves(metrics, keys=metrics_keys)
        drawn.append(
            Illustration("training", "Training", "The metrics of training, by epoch.", curves)
        )
    return drawn


def _raster(place: int, name: str, tree: xr.DataTree) -> Illustration:
    from bioae.analysis import plots

    example = int(tree["example"].to_numpy()[0])
    # The place keeps apart names that differ only in what a file's name cannot hold.
    slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "result"
    return Illustration(
        f"raster-{place}-{slug}",
        f"Spikes: {name}",
        f"Every spike of every layer in response to example {example}.",
        plots.rasters(tree, example=example),
    )
