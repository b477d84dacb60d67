"""Noise of neuron models (``xi``, ``rand()``, ``randn()``), with the same bits on every target.

A random number is a function of its purpose: the seed, the example, its repeat, the population,
the neuron, the step, and the place in the equations that draws it. So example 17 receives the same
noise whichever other examples are simulated, on any target, with any number of workers.

For one key and one counter, neuron n gets the n-th word of a stream of Philox 4x64-10 (Salmon et
al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), as NumPy reads it::

    numpy.random.Philox(key=[seed, example], counter=[0, step, call, population]).random_raw(N)[n]

that is, word n mod 4 of the block with the counter (n div 4 + 1, step, call, population). Repeat r
of an example adds 2^32 r to the population. Signed integers count as the unsigned ones of the same
64 bits. `transforms` turns a word into a uniform or
a normal number.

`streams` reads the numbers with NumPy; `brian` gives them to Brian2 as functions for the targets
numpy, Cython, C++ and CUDA. The source in C++ and CUDA is `templates/noise.h`.
"""

from __future__ import annotations

from bioae.noise.streams import (
    PARAMETER_STEP,
    START_STEP,
    Key,
    draw,
    pathway_number,
    population_number,
    settling_noise,
    words,
)
from bioae.noise.transforms import normal, uniform

__all__ = [
    "PARAMETER_STEP",
    "START_STEP",
    "Key",
    "draw",
    "normal",
    "pathway_number",
    "population_number",
    "settling_noise",
    "uniform",
    "words",
]
