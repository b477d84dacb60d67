"""Temporal order: the same segments in different orders, with gaps of noise between them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from bioae.checks import number, whole
from bioae.datasets.signals import Signals
from bioae.datasets.synthetic.splits import place_of
from bioae.errors import DataError
from bioae.random import stream

__all__ = ["ordered_segments"]

#: The streams of random numbers: the spectra of all examples, and of each split two more.
_SPECTRA, _TIMES, _NOISE = 0, 1, 3
#: The largest number of segments: their orders are the classes.
_MOST_SEGMENTS = 5


def ordered_segments(
    examples: int,
    *,
    seed: int,
    split: str = "train",
    steps: int = 150,
    channels: int = 40,
    segments: int = 3,
    length: int = 25,
    gap: int = 10,
    noise: float = 0.2,
) -> Signals:
    """Draw sequences of segments whose order is the class.

    A segment is a fixed spectrum: the sum of two Gaussian bumps over the channels, with the same
    spectra in all examples of a seed. Every sequence contains each segment once, for the same time,
    at a random onset; at least `gap` steps of noise follow each segment. So the sum of a sequence
    over time tells nothing about its class, and a network has to remember segments across the gaps.
    It is a task of temporal order as in Hochreiter & Schmidhuber (1997, Neural Computation 9:1735),
    with vectors in place of symbols.

    Parameters
    ----------
    examples
        The number of examples.
    seed
        The seed.
    split
        ``"train"`` or ``"test"``: two splits of a seed have the same spectra and different
        examples.
    steps
        Points in time of an example.
    channels
        The number of channels.
    segments
        The number of segments n, from 2 to 5; there are n! classes.
    length
        Points in time of a segment.
    gap
        The least number of points between two segments, and after the last one.
    noise
        The standard deviation of the normal noise that is added to all values.

    Returns
    -------
    Signals
        Shape ``(example, time, channel)``. The label is the place of the order in the list of all
        orders, sorted lexicographically; all are equally probable.

    Raises
    ------
    DataError
        If segments and gaps are longer than an example, or a number is out of its bounds.
    """
    sizes = {"examples": examples, "steps": steps, "channels": channels, "length": length}
    for name, value in sizes.items():
        whole(value, name, least=1, error=DataError)
    whole(segments, "segments", least=2, most=_MOST_SEGMENTS, error=DataError)
    whole(gap, "gap", error=DataError)
    number(noise, "noise", least=0, error=DataError)
    offset = place_of(split)
    room = steps - segments * (length + gap)
    if room < 0:
        raise DataError(
            "the example is too short",
            where="steps",
            expected=f"at least {segments * (length + gap)}: segments and gaps",
            found=str(steps),
        )
    times, background = stream(seed, _TIMES + offset), stream(seed, _NOISE + offset)
    orders = np.array(list(permutations(range(segments))))
    labels = times.integers(0, len(orders), examples)
    # Sorted uniform cuts of the spare room: any division of it is equally probable.
    slack = np.sort(times.integers(0, room + 1, (examples, segments)), axis=1)
    onsets = slack + np.arange(segments) * (length + gap)
    spectra = _spectra(seed, segments, channels)
    values = noise * background.standard_normal((examples, steps, channels), dtype=np.float32)
    for example, order in enumerate(orders[labels]):
        for segment, onset in zip(order, onsets[example], strict=True):
            values[example, onset : onset + length] += spectra[segment]
    return Signals.of(values, labels=labels, name="ordered_segments", split=split)


def _spectra(seed: int, segments: int, channels: int) -> NDArray[np.float32]:
    """Draw the spectra (segment, channel): two bumps, a tenth of the channels wide, of height 1."""
    centres = stream(seed, _SPECTRA).uniform(0, channels, (segments, 2, 1))
    distance = (np.arange(channels) + 0.5 - centres) / (0.1 * channels)
    spectra: NDArray[np.float32] = np.exp(-0.5 * distance**2).sum(axis=1).astype(np.float32)
    return spectra
