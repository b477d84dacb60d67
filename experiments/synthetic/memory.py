"""Memory tasks: store-recall, the order of segments, and the permuted rows of images."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from bioae.datasets.data import Data, Split
from bioae.random import named_stream


def store_recall(
    examples: int,
    *,
    seed: int,
    split: Split = "train",
    delay: int = 200,
    steps: int = 250,
    cue: int = 20,
    rate: float = 0.5,
    distractors: float = 0.5,
) -> Data:
    """Draw examples of the store-recall task of Bellec et al. (2018, arXiv:1803.09574).

    Four input neurons stand for the value 0, the value 1, the store cue and the recall cue. The
    store cue and a value come together, for `cue` steps. After a delay comes the recall cue, for as
    many steps, and the network is to name the value: the label. In the delay further values come
    without a store cue; they are distractors, to be ignored. The signals are probabilities of
    spikes: the encoder `frames` with ``random = true`` draws spikes from them.

    Bellec et al. show a symbol in each window of 200 ms, and several stores and recalls in a
    sequence. Here are one of each, at a random onset that leaves room for both.

    An active channel (example, time, channel) has the value `rate`, a probability per step. Of
    `steps` points in time, `delay` are between the end of the store cue and the start of the recall
    cue; a window of `cue` points among them shows a random value with the probability
    `distractors`. Labels are equally probable. Two splits of a seed are drawn independently; a
    short delay has few different signals, which both may have.
    """
    room = steps - 2 * cue - delay
    values = named_stream(seed, "store_recall", "values", split).integers(0, 2, examples)
    onsets = named_stream(seed, "store_recall", "onsets", split).integers(0, room + 1, examples)
    windows = delay // cue
    shown = (
        named_stream(seed, "store_recall", "shown", split).random((examples, windows)) < distractors
    )
    others = named_stream(seed, "store_recall", "others", split).integers(0, 2, (examples, windows))

    active = np.zeros((examples, steps, 4), dtype=bool)
    for each in range(examples):
        start = onsets[each]
        active[each, start : start + cue, [values[each], 2]] = True
        end = start + cue
        for window in np.flatnonzero(shown[each]):
            active[each, end + window * cue : end + (window + 1) * cue, others[each, window]] = True
        active[each, end + delay : end + delay + cue, 3] = True
    signals = (rate * active).astype(np.float32)
    return Data.of_signals(signals, labels=values, name="store_recall", split=split)


def ordered_segments(
    examples: int,
    *,
    seed: int,
    split: Split = "train",
    steps: int = 150,
    channels: int = 40,
    segments: int = 3,
    length: int = 25,
    gap: int = 10,
    noise: float = 0.2,
) -> Data:
    """Draw sequences of segments whose order is the class.

    A segment is a fixed spectrum: the sum of two Gaussian bumps over the channels, with the same
    spectra in all examples of a seed. Every sequence contains each segment once, for the same time,
    at a random onset; at least `gap` steps of noise follow each segment. So the sum of a sequence
    over time tells nothing about its class, and a network has to remember segments across the gaps.
    It is a task of temporal order as in Hochreiter & Schmidhuber (1997, Neural Computation 9:1735),
    with vectors in place of symbols.

    The sequences (example, time, channel) have `steps` points in time, a segment `length` of them;
    `noise` is the standard deviation of the normal noise of all values. The label is the place of
    the order in the list of the n! orders of n segments, sorted lexicographically; all are equally
    probable. Two splits of a seed have the same spectra and different examples.
    """
    room = steps - segments * (length + gap)
    times, background = (
        named_stream(seed, "ordered_segments", each, split) for each in ("times", "noise")
    )
    orders = np.array(list(permutations(range(segments))))
    labels = times.integers(0, len(orders), examples)
    # Sorted uniform cuts of the spare room.
    slack = np.sort(times.integers(0, room + 1, (examples, segments)), axis=1)
    onsets = slack + np.arange(segments) * (length + gap)
    spectra = _spectra(seed, segments, channels)
    values = noise * background.standard_normal((examples, steps, channels), dtype=np.float32)
    for example, order in enumerate(orders[labels]):
        for segment, onset in zip(order, onsets[example], strict=True):
            values[example, onset : onset + length] += spectra[segment]
    return Data.of_signals(values, labels=labels, name="ordered_segments", split=split)


def permuted_rows(images: Data, *, seed: int | None = 0) -> Data:
    """Show the rows of images one after another, their pixels permuted.

    One random permutation moves the pixels of all images; it removes the order of neighbours, so
    that the class depends on pixels of distant points in time. Le, Jaitly & Hinton (2015,
    arXiv:1504.00941) show the permuted pixels one by one; here a row of them is one point in time.

    Images of one channel (example, y, x) become (example, time, channel), with their labels, split
    and indices. Without a seed of the permutation the pixels stay at their places.
    """
    _, height, width = images.shape
    pixels = images.as_float().reshape(len(images), -1)
    if seed is not None:
        pixels = pixels[:, named_stream(seed, "permuted_rows").permutation(height * width)]
    rows = pixels.reshape(len(images), height, width).astype(np.float32)
    return Data.of_signals(
        rows, labels=images.labels, indices=images.indices, name=f"{images.name} rows",
        split=images.split,
    )  # fmt: skip


def _spectra(seed: int, segments: int, channels: int) -> NDArray[np.float32]:
    """Draw the spectra (segment, channel): two bumps, a tenth of the channels wide, of height 1."""
    centres = named_stream(seed, "ordered_segments", "spectra").uniform(
        0, channels, (segments, 2, 1)
    )
    distance = (np.arange(channels) + 0.5 - centres) / (0.1 * channels)
    spectra: NDArray[np.float32] = np.exp(-0.5 * distance**2).sum(axis=1).astype(np.float32)
    return spectra
