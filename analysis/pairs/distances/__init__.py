"""Distances between spike trains, for all pairs at once, and distances between two samples.

A new distance or similarity of spike trains belongs here: a function on a raster of
`bioae.analysis.raster`, (train, time) bool, that returns a matrix (train, train_). So does a
distance between two distributions, such as the rates of two layers. All trains share the grid of
steps, so a search among spike times becomes arithmetic on small integers.
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
