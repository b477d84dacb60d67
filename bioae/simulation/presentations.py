"""Images that are presented to a network, their numbers, and the drive that encodes them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets import Images, check_images
from bioae.datasets.images import check_labels, check_targets, intensities
from bioae.errors import DataError
from bioae.networks.config import NetworkConfig
from bioae.noise import Key
from bioae.random import check_key

__all__ = ["Presentations", "Progress"]

#: Called with the number of finished images, and of all images.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Presentations:
    """Images that fit a network.

    Parameters
    ----------
    config
        The network's description.
    pixels
        (example, channel, y, x), bytes or numbers in [0, 1].
    examples
        The number of each image in its data set (example): random input depends on it.
    labels
        The class of each image (example), where known.
    seed
        The seed of random input and of the noise of neurons.
    targets
        The targets of the outputs (example, ..., output), where known.
    """

    config: NetworkConfig
    pixels: NDArray[Any]
    examples: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    seed: int
    targets: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        config: NetworkConfig,
        images: Images | ArrayLike,
        *,
        examples: ArrayLike | None = None,
        seed: int = 0,
    ) -> Presentations:
        """Check images against a network.

        Parameters
        ----------
        config
            The network's description.
        images
            A data set, or an array (example, channel, y, x) or (example, y, x) in [0, 1].
        examples
            The number of each image (example); their places in the data set by default.
        seed
            The seed of random input and of the noise of neurons.

        Raises
        ------
        DataError
            If the images are empty, not finite, out of range or of the wrong size; or if their
            labels or targets do not fit the task.
        InputError
            If the seed is not an unsigned 64-bit integer.
        """
        labels, targets, numbers = None, None, examples
        if isinstance(images, Images):
            pixels = check_images(images.pixels)
            numbers = images.indices if examples is None else examples
            if images.labels is not None:
                labels = check_labels(images.labels, examples=len(pixels))
            if images.targets is not None:
                targets = check_targets(images.targets, examples=len(pixels))
        else:
            pixels = check_images(images)
            numbers = np.arange(len(pixels)) if examples is None else examples
        if pixels.shape[1:] != config.input_shape:
            raise DataError(
                "the images do not fit the network",
                expected=f"(channel, y, x) = {config.input_shape}",
                found=f"{pixels.shape[1:]}",
            )
        check_key(seed, "seed")
        numbers = _numbers(numbers, len(pixels))
        presented = cls(config, pixels, numbers, labels, int(seed), targets)
        if config.task.target != "images":
            config.task.known_target(presented, config.steps)
        return presented

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, part: slice) -> Presentations:
        """Return some of the images."""
        return replace(
            self,
            pixels=self.pixels[part],
            examples=self.examples[part],
            labels=None if self.labels is None else self.labels[part],
            targets=None if self.targets is None else self.targets[part],
        )

    @property
    def images(self) -> NDArray[np.float64]:
        """The pixels as numbers in [0, 1] (example, channel, y, x)."""
        return self.intensities()

    def intensities(self, part: slice = slice(None)) -> NDArray[np.float64]:
        """Return the pixels as numbers in [0, 1] (example, channel, y, x)."""
        return intensities(self.pixels[part])

    def drive(self, part: slice = slice(None)) -> NDArray[np.float32]:
        """Return the emission of the input (time, example, channel, y, x)."""
        return self.config.encoder.encode(
            self.intensities(part), self.examples[part], steps=self.config.steps, seed=self.seed
        )

    def held(self, part: slice = slice(None)) -> NDArray[np.float64]:
        """Return the held values of the input (example, neuron), see `bioae.networks.encoders`."""
        images = self.intensities(part)
        values = self.config.encoder.held(images, steps=self.config.steps)
        return values.reshape(len(images), -1)

    def key(self, part: slice = slice(None)) -> Key:
        """Return the key of the neurons' noise."""
        return Key(self.seed, self.examples[part])

    def chunks(self, size: int) -> Iterator[slice]:
        """Split the images into parts of a fixed size; the last may be smaller."""
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    @cached_property
    def sha256(self) -> str:
        """A hash of the images and their numbers."""
        hashed = hashlib.sha256()
        for values in (self.pixels, self.examples):
            hashed.update(f"{values.dtype}{values.shape}".encode())
            hashed.update(np.ascontiguousarray(values).tobytes())
        return hashed.hexdigest()


def _numbers(examples: ArrayLike | None, count: int) -> NDArray[np.int64]:
    """Return the numbers of the examples, which key their random input."""
    try:
        numbers = np.asarray(examples)
    except (ValueError, OverflowError):
        numbers = np.asarray(None)
    whole = numbers.dtype.kind in "iu" and numbers.shape == (count,)
    distinct = len(np.unique(numbers)) if whole else 0
    if distinct != count or numbers.min() < 0 or numbers.max() >= 2**63:
        raise DataError(
            "the examples' numbers do not fit the images",
            where="examples",
            expected=f"{count} different whole numbers, 0 or more",
            found=f"{distinct} in the shape {numbers.shape}"
            if whole
            else f"the type {numbers.dtype}, shape {numbers.shape}",
        )
    return numbers.astype(np.int64)
