"""Images to train on and to simulate: known by name, or a user's own.

Here belongs what turns a name or a path into `Images`, and nothing that knows of neurons.
"""

from __future__ import annotations

from bioae.datasets.catalogue import DATA_SETS, DataSet
from bioae.datasets.images import Images, check_images
from bioae.datasets.loading import load
from bioae.datasets.store import fetch, locate

__all__ = ["DATA_SETS", "DataSet", "Images", "check_images", "fetch", "load", "locate"]
