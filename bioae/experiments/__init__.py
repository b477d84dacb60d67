"""Experiments: a claim each, tested over conditions and seeds, with controls and thresholds.

An experiment is a file of this folder that defines ``EXPERIMENT``, and its name is that of the
file. What all experiments share is in `runner`. Experiments may import every part of bioae, and no
part but the command line imports them; heavy libraries are imported in functions, so that
``bioae experiment list`` is quick.
"""

from __future__ import annotations

__all__: list[str] = []
