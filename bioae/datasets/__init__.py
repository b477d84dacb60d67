"""Data: what is presented to a network, by name, from a user's files, or made of arrays.

Code that turns a name, a path or arrays into `Data` belongs here, and nothing about neurons.
"""

from __future__ import annotations

from bioae.datasets.catalogue import DATA_SETS, DataSet
from bioae.datasets.conversion import DataOptions, convert, load
from bioae.datasets.data import Data
from bioae.datasets.forms import Request, form
from bioae.datasets.saving import save
from bioae.datasets.store import fetch, locate

__all__ = [
    "DATA_SETS",
    "Data",
    "DataOptions",
    "DataSet",
    "Request",
    "convert",
    "fetch",
    "form",
    "load",
    "locate",
    "save",
]
