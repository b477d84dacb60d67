"""Synthetic data sets: seeded generators, from which examples are drawn at any size.

A generator returns `Signals` or `Images` with their labels or targets, and draws them from streams
of `bioae.random`, so that equal seeds give equal examples. `bioae.datasets.save` writes a training
and a test set for a training configuration.
"""

from __future__ import annotations

from bioae.datasets.synthetic.fields import erf_covariance, ring_covariance, ring_fields
from bioae.datasets.synthetic.materials import (
    ElastoplasticHistory,
    elasticity,
    elastoplastic_history,
    plasticity,
    ramberg_osgood,
    ramberg_osgood_stress,
    strain_paths,
)
from bioae.datasets.synthetic.nk import NEIGHBOURHOODS, NKLandscape, nk_landscape

__all__ = [
    "NEIGHBOURHOODS",
    "ElastoplasticHistory",
    "NKLandscape",
    "elasticity",
    "elastoplastic_history",
    "erf_covariance",
    "nk_landscape",
    "plasticity",
    "ramberg_osgood",
    "ramberg_osgood_stress",
    "ring_covariance",
    "ring_fields",
    "strain_paths",
]
