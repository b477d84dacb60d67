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
from bioae.datasets.images import intensities
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
    """

    config: NetworkConfig
    pixels: NDArray[Any]
    examples: NDArray[np.int64]
    labels: NDArray[np.int64] | None
    seed: int

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
            If the images are empty, not finite, out of range or of the wrong size.
        InputError
            If the seed is not an unsigned 64-bit integer.
        """
        if isinstance(images, Images):
            pixels, labels, numbers = check_images(images.pixels), images.labels, images.indices
        else:
            pixels, labels = check_images(images), None
            numbers = np.arange(len(pixels))
        if pixels.shape[1:] != config.input_shape:
            raise DataError(
                "the images do not fit the network",
                expected=f"(channel, y, x) = {config.input_shape}",
                found=f"{pixels.shape[1:]}",
            )
        numbers = np.asarray(numbers if examples is None else examples, dtype=np.int64)
        if numbers.shape != (len(pixels),) or len(np.unique(numbers)) != len(numbers):
            raise DataError(
                "the examples' numbers do not fit the images",
                expected=f"{len(pixels)} different whole numbers",
                found=f"{len(np.unique(numbers))} in the shape {numbers.shape}",
            )
        check_key(seed, "seed")
        return cls(config, pixels, numbers, labels, seed)

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, part: slice) -> Presentations:
        """Return some of the images."""
        labels = None if self.labels is None else self.labels[part]
        return replace(self, pixels=self.pixels[part], examples=self.examples[part], labels=labels)

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
