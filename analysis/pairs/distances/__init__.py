"""Distances of spike trains, for all pairs at once, and distances of two samples.

Functions on the rasters of `bioae.analysis.raster`, (train, time) bool, that return a matrix
(train, train_) of a distance or similarity belong here, and distances of two distributions, such
as the rates of two layers. All trains share the grid of steps, so that a search among spike times
becomes arithmetic on small integers.
"""

from __future__ import annotations

from bioae.analysis.pairs.distances.parameter_free import (
    isi_distance,
    spike_distance,
    spike_synchronization,
)
from bioae.analysis.pairs.distances.samples import kolmogorov_smirnov, wasserstein_distance
from bioae.analysis.pairs.distances.time_scale import van_rossum_distance, victor_purpura_distance

__all__ = [
    "isi_distance",
    "kolmogorov_smirnov",
    "spike_distance",
    "spike_synchronization",
    "van_rossum_distance",
    "victor_purpura_distance",
    "wasserstein_distance",
]
