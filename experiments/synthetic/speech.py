"""Speech-like events: sweeps of two formants from one vowel to another, in channels of a cochlea.

References
----------
Formants: G. E. Peterson, H. L. Barney, "Control methods used in a study of the vowels" (1952),
J. Acoust. Soc. Am. 24, 175, means of men. Number of ERBs: B. R. Glasberg, B. C. J. Moore,
"Derivation of auditory filter shapes from notched-noise data" (1990), Hearing Research 47, 103.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets.data import Data, Split
from bioae.random import named_stream

Numbers = NDArray[np.float64]

#: The first two formants in Hz of the vowels of heed, had, hod and who'd.
VOWELS = ((270.0, 2290.0), (660.0, 1720.0), (730.0, 1090.0), (300.0, 870.0))
#: The range of factors of all formants of a speaker: shorter vocal tracts have higher ones.
_SPEAKERS = (0.9, 1.2)
#: The lowest and the highest centre of a channel, in Hz.
_RANGE = (150.0, 4000.0)


def formant_sweeps(
    examples: int,
    *,
    seed: int,
    split: Split = "train",
    steps: int = 100,
    channels: int = 40,
    duration: tuple[int, int] = (40, 80),
    rate: float = 0.4,
    background: float = 0.02,
) -> Data:
    """Draw events of sweeps between two of four vowels, whose order is the class.

    During a sweep both formants move from those of the first vowel to those of the second,
    uniformly in the number of equivalent rectangular bandwidths (ERB). A channel emits an event at
    a point in time with the probability `background`, to which the sweep adds `rate` times
    exp(-d^2 / 2), where d is the distance in ERB to the nearer formant: broader than an auditory
    filter. Speakers, onsets and durations are random. A sweep and its reverse have equal
    distributions of the sum of events over time.

    The frames of events (example, time, channel), 0 or 1, have `steps` points in time, think of
    4 ms, and channels at equal distances in ERB from 150 to 4,000 Hz; a sweep lasts between the two
    numbers of points of `duration`. The label is the place of the pair in the list of the 12
    ordered pairs, sorted lexicographically; all are equally probable.
    """
    drawn, chance = (
        named_stream(seed, "formant_sweeps", each, split) for each in ("sweeps", "events")
    )
    pairs = np.array(list(permutations(VOWELS, 2)))  # (class, vowel, formant)
    labels = drawn.integers(0, len(pairs), examples)
    lowest, highest = np.log(_SPEAKERS)
    speakers = np.exp(drawn.uniform(lowest, highest, examples))
    lengths = drawn.integers(duration[0], duration[1] + 1, examples)
    onsets = drawn.integers(0, steps - lengths + 1)

    progress = (np.arange(steps) + 0.5 - onsets[:, None]) / lengths[:, None]  # (example, time)
    ends = erb_number(speakers[:, None, None] * pairs[labels])[:, :, None]  # one more axis: time
    formants = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * progress[:, :, None]
    first, last = erb_number(_RANGE)
    centres = np.linspace(first, last, channels)
    distance = abs(formants[..., None] - centres).min(axis=2)  # (example, time, channel)
    sounding = ((progress > 0) & (progress < 1))[..., None]
    probability = background + rate * sounding * np.exp(-0.5 * distance**2)
    events = (chance.random(probability.shape) < probability).astype(np.float32)
    return Data.of_signals(events, labels=labels, name="formant_sweeps", split=split)


def erb_number(frequency: ArrayLike) -> Numbers:
    """Return the number of equivalent rectangular bandwidths below a frequency in Hz."""
    number: Numbers = 21.4 * np.log10(1 + 0.00437 * np.asarray(frequency, np.float64))
    return number
