"""How far apart spike trains are, for all pairs at once, and how far apart two samples are.

Here belong functions that take the rasters of `bioae.analysis.raster`, (train, time) bool, and
return a matrix (train, train_) of a distance or similarity, one in each file; and distances of two
distributions, such as the rates of two layers. Trains lie on the grid of steps, and all share it:
what is a search among spike times elsewhere is arithmetic on small integers here.

What the trains share is in `trains` and `intervals`, what the samples share in `samples`.
"""

from __future__ import annotations

from bioae.analysis.pairs.distances.isi import isi_distance
from bioae.analysis.pairs.distances.kolmogorov_smirnov import kolmogorov_smirnov
from bioae.analysis.pairs.distances.spike import spike_distance
from bioae.analysis.pairs.distances.synchronization import spike_synchronization
from bioae.analysis.pairs.distances.van_rossum import van_rossum_distance
from bioae.analysis.pairs.distances.victor_purpura import victor_purpura_distance
from bioae.analysis.pairs.distances.wasserstein import wasserstein_distance

__all__ = [
    "isi_distance",
    "kolmogorov_smirnov",
    "spike_distance",
    "spike_synchronization",
    "van_rossum_distance",
    "victor_purpura_distance",
    "wasserstein_distance",
]
