"""Data sets: images, signals and events, by name or from a user's files.

Code that turns a name, a path or arrays into `Images`, `Signals` or `Events` belongs here, and
nothing about neurons.
"""

from __future__ import annotations

from bioae.datasets import synthetic
from bioae.datasets.catalogue import DATA_SETS, DataSet
from bioae.datasets.conversion import DataOptions, convert
from bioae.datasets.events import Events
from bioae.datasets.images import Images, check_images
from bioae.datasets.loading import Data, load
from bioae.datasets.saving import save
from bioae.datasets.signals import Signals, check_signals
from bioae.datasets.store import fetch, locate

__all__ = [
    "DATA_SETS",
    "Data",
    "DataOptions",
    "DataSet",
    "Events",
    "Images",
    "Signals",
    "check_images",
    "check_signals",
    "convert",
    "fetch",
    "load",
    "locate",
    "save",
    "synthetic",
]
