"""A model's own noise, ``xi``, ``rand()`` and ``randn()``: the same bits everywhere.

A random number is a function of what it is for: the seed, the example, the population, the neuron,
the step, and the place in the equations that asks for it. So example 17 meets the same noise
whatever else is simulated, on whatever target, by however many workers.

With one key and one counter, neuron n gets the n-th word of a stream of Philox 4x64-10 (Salmon et
al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), read as NumPy reads it::

    numpy.random.Philox(key=[seed, example], counter=[0, step, call, population]).random_raw(N)[n]

that is, word n mod 4 of the block with the counter (n div 4 + 1, step, call, population). Signed
numbers stand for their 64 bits. `transforms` says how a word becomes a uniform or a normal number.

`streams` reads numbers with NumPy; `brian` gives Brian2 the same as functions, for the targets
numpy, cython, C++ and CUDA. The text of C++ and of CUDA is `templates/noise.h`.
"""

from __future__ import annotations

from bioae.noise.settling import settling_noise
from bioae.noise.streams import START_STEP, Key, draw, population_number, words
from bioae.noise.transforms import normal, uniform

__all__ = [
    "START_STEP",
    "Key",
    "draw",
    "normal",
    "population_number",
    "settling_noise",
    "uniform",
    "words",
]
