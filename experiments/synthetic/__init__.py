"""Synthetic data sets: seeded generators, from which examples are drawn at any size.

A generator returns `Data` with their labels or targets, and draws them from streams
of `bioae.random`, so that equal seeds give equal examples. `bioae.datasets.save` writes a training
and a test set for a training configuration.
"""

from __future__ import annotations

from experiments.synthetic.fields import ring_fields
from experiments.synthetic.functions import genz
from experiments.synthetic.labels import flip_labels
from experiments.synthetic.materials import (
    elasticity,
    elastoplastic_history,
    plasticity,
    ramberg_osgood,
    ramberg_osgood_stress,
)
from experiments.synthetic.memory import ordered_segments, permuted_rows, store_recall
from experiments.synthetic.nk import nk_landscape
from experiments.synthetic.speech import formant_sweeps

__all__ = [
    "elasticity",
    "elastoplastic_history",
    "flip_labels",
    "formant_sweeps",
    "genz",
    "nk_landscape",
    "ordered_segments",
    "permuted_rows",
    "plasticity",
    "ramberg_osgood",
    "ramberg_osgood_stress",
    "ring_fields",
    "store_recall",
]
