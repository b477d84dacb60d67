"""Data sets: images for training and simulation, by name or from a user's files.

Code that turns a name or a path into `Images` belongs here, and nothing about neurons.
"""

from __future__ import annotations

from bioae.datasets.catalogue import DATA_SETS, DataSet
from bioae.datasets.images import Images, check_images
from bioae.datasets.loading import load
from bioae.datasets.store import fetch, locate

__all__ = ["DATA_SETS", "DataSet", "Images", "check_images", "fetch", "load", "locate"]
