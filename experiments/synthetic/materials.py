"""Stress-strain histories of one-dimensional materials: elastic, Ramberg-Osgood, elastoplastic.

Strains are numbers without a unit and stresses are in MPa (N/mm^2) in the constitutive laws. The
generators divide both by fixed units, so that networks see numbers of order 1.

References
----------
W. Ramberg, W. R. Osgood, "Description of stress-strain curves by three parameters" (1943), NACA
Technical Note 902. J. C. Simo, T. J. R. Hughes, "Computational Inelasticity" (1998), chapter 1.
The regression of such histories by spiking networks: Henkes, Eshraghian, Wessels (2022),
arXiv:2210.03515.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from bioae.datasets.data import Data, Split
from bioae.random import named_stream

Numbers = NDArray[np.float64]

#: Young's modulus in MPa, that of steel.
YOUNG = 210_000.0
#: The initial yield stress in MPa.
YIELD_STRESS = 300.0
#: The modulus of linear isotropic hardening in MPa.
HARDENING = 2_100.0
#: The exponent of Ramberg and Osgood.
EXPONENT = 10.0
#: The plastic strain at the yield stress of Ramberg and Osgood, 0.2 %.
OFFSET = 0.002
#: The range of the yield stress of Ramberg and Osgood in MPa.
YIELD_STRESSES = (100.0, 500.0)

#: The unit of strain of `elasticity`, and the largest strain there.
ELASTIC_STRAIN = 0.001
#: The unit of strain of `ramberg_osgood` and `plasticity`, and the largest strain there.
LARGEST_STRAIN = 0.01
#: The unit of stress in MPa.
STRESS = 300.0

#: The mean strain per point of a history, relative to `LARGEST_STRAIN`.
_SPEED = 0.08
#: The probability per point that a history turns.
_TURNING = 0.08


def elastoplastic_history(strain: ArrayLike) -> tuple[Numbers, Numbers, Numbers]:
    """Integrate rate-independent plasticity with linear isotropic hardening by return mapping.

    The stress is E (e - p) for a strain e and a plastic strain p, where E is `YOUNG`. It never
    exceeds `YIELD_STRESS` plus H a, where H is `HARDENING` and a the accumulated plastic strain.
    Where an elastic step would exceed it, p and a move by the excess divided by E + H, which is
    exact for a step of constant direction (Simo & Hughes 1998, section 1.4). The material is
    undeformed before the first point.

    `strain`: the strain at each point in time, shape ``(..., time)``.

    Returns the stress in MPa, the plastic strain, and the accumulated one, which never decreases,
    of the same shape each.
    """
    strains = np.asarray(strain, np.float64)
    shape = strains.shape
    stress, plastic, accumulated = (np.empty(shape) for _ in range(3))
    p, a = np.zeros(shape[:-1]), np.zeros(shape[:-1])
    for n in range(shape[-1]):
        trial = YOUNG * (strains[..., n] - p)
        excess = np.abs(trial) - (YIELD_STRESS + HARDENING * a)
        slip = np.maximum(excess, 0.0) / (YOUNG + HARDENING)
        p, a = p + slip * np.sign(trial), a + slip
        stress[..., n] = trial - YOUNG * slip * np.sign(trial)
        plastic[..., n], accumulated[..., n] = p, a
    return stress, plastic, accumulated


def ramberg_osgood_stress(strain: ArrayLike, yield_stress: ArrayLike) -> Numbers:
    """Solve the law of Ramberg and Osgood for the stress.

    The stress s solves e = s / `YOUNG` + `OFFSET` (s / `yield_stress`)^`EXPONENT` for a strain
    e >= 0, and is odd in e: the law of a nonlinear elastic material, which unloads as it was
    loaded.

    The yield stress, in MPa as the stress, broadcasts with the strain.
    """
    values = np.asarray(strain, np.float64)
    strains, limits = np.broadcast_arrays(np.abs(values), np.asarray(yield_stress, np.float64))
    # Either term alone bounds the stress from above. From there Newton's method descends to the
    # root of an increasing convex function without ever crossing it.
    stress = np.minimum(YOUNG * strains, limits * (strains / OFFSET) ** (1 / EXPONENT))
    for _ in range(60):
        plastic = OFFSET * (stress / limits) ** (EXPONENT - 1)
        residual = stress / YOUNG + plastic * stress / limits - strains
        stress = np.maximum(stress - residual / (1 / YOUNG + EXPONENT * plastic / limits), 0.0)
    signed: Numbers = np.copysign(stress, values)
    return signed


def _paths(examples: int, points: int, drawn: Generator) -> NDArray[np.float64]:
    """Draw zigzags (example, time) with random turning points, relative to the largest strain.

    Each path starts from 0 in either direction. At each point it turns with a probability of 8 %,
    and then draws another speed, from 0.04 to 0.12 per point. Where it would leave [-1, 1] it turns
    too.
    """
    direction = np.where(drawn.random(examples) < 0.5, -1.0, 1.0)
    turns = drawn.random((points, examples)) < _TURNING
    speeds = _SPEED * (0.5 + drawn.random((points, examples)))
    paths = np.empty((examples, points))
    place, speed = np.zeros(examples), speeds[0]
    for n in range(points):
        turning = turns[n] & (n > 0)
        direction = np.where(turning, -direction, direction)
        speed = np.where(turning, speeds[n], speed)
        leaving = np.abs(place + direction * speed) > 1.0
        direction = np.where(leaving, -direction, direction)
        place = place + direction * speed
        paths[:, n] = place
    return paths


def elasticity(examples: int, points: int = 50, *, seed: int = 0, split: Split = "train") -> Data:
    """Draw constant strains of a linear elastic material, and their stresses.

    `examples`, `points`: the number of examples, and of points in time; `seed`, `split`: the seed,
    and the set: the two splits of a seed are drawn independently.

    Returns the channel is the strain divided by `ELASTIC_STRAIN`, uniform in [-1, 1]; the targets
    ``(example, 1)`` are E e, the stress, divided by `STRESS`.
    """
    drawn = named_stream(seed, "elasticity", split)
    strain = drawn.uniform(-1.0, 1.0, (examples, 1))
    values = np.repeat(strain[:, None], points, axis=1)
    targets = YOUNG * ELASTIC_STRAIN * strain / STRESS
    return Data.of_signals(values, targets=targets, name="elasticity", split=split)


def ramberg_osgood(
    examples: int, points: int = 50, *, seed: int = 0, split: Split = "train"
) -> Data:
    """Draw histories of strain of materials of Ramberg and Osgood, and of their stress.

    Arguments are those of `elasticity`. The channels are the strain divided by `LARGEST_STRAIN`, a
    zigzag of `_paths`, and the yield stress, constant in time: uniform from 100 to 500 MPa,
    mapped to [-1, 1]. The targets ``(example, time, 1)`` are the stresses divided by `STRESS`. The
    stress at a time depends on the two values at that time alone.
    """
    paths = _paths(examples, points, named_stream(seed, "ramberg_osgood", "paths", split))
    drawn = named_stream(seed, "ramberg_osgood", "limits", split).uniform(-1.0, 1.0, (examples, 1))
    low, high = YIELD_STRESSES
    limits = (low + high) / 2 + (high - low) / 2 * drawn
    stress = ramberg_osgood_stress(LARGEST_STRAIN * paths, limits)
    values = np.stack([paths, np.repeat(drawn, points, axis=1)], axis=-1)
    targets = stress[..., None] / STRESS
    return Data.of_signals(values, targets=targets, name="ramberg_osgood", split=split)


def plasticity(examples: int, points: int = 50, *, seed: int = 0, split: Split = "train") -> Data:
    """Draw histories of strain of an elastoplastic material, and of its stress.

    The stress depends on the whole history: the material of `elastoplastic_history` unloads along
    another line than it was loaded. Since turning points are random, the time tells nothing.
    Arguments are those of `elasticity`. The channel is the strain divided by `LARGEST_STRAIN`, a
    zigzag of `_paths`; the targets ``(example, time, 1)`` are the stresses divided by `STRESS`.
    """
    paths = _paths(examples, points, named_stream(seed, "plasticity", split))
    stress, *_ = elastoplastic_history(LARGEST_STRAIN * paths)
    targets = stress[..., None] / STRESS
    return Data.of_signals(paths, targets=targets, name="plasticity", split=split)
