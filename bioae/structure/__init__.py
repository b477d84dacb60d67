"""Structural plasticity: which of the potential connections of a population exist.

A set of connections is a mask of truth values, (target, source), with the same number of sources
for each target: the *fan-in*. Rewiring exchanges connections for potential ones with a higher
score. Masks and scores belong here; the learning rules that scores come from do not.
"""

from __future__ import annotations

from bioae.structure.connections import Rewiring, Structure, random_connections, rewired
from bioae.structure.scores import mutual_information

__all__ = ["Rewiring", "Structure", "mutual_information", "random_connections", "rewired"]
