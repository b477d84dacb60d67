"""Images with their labels, and checks of arrays of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.datasets.examples import Declared, Examples, FileArray, as_declared
from bioae.errors import DataError

__all__ = ["Images", "check_image_shape", "check_images", "intensities", "refuse_dark_bytes"]

_AXES = ("example", "channel", "y", "x")


@dataclass(frozen=True, eq=False, repr=False)
class Images(Examples):
    """Images, their labels if known, and their source.

    Bytes stay bytes until `images` is read, so 60,000 digits take 47 MB. Slice before reading it to
    hold only a part of them as floating-point numbers.

    Parameters
    ----------
    pixels
        Intensities, shape ``(example, channel, y, x)``: bytes from 0 to 255, or numbers in [0, 1].
    labels
        The class of each image, shape ``(example,)``, or None.
    name
        The name of the data set, or the path of the file.
    split
        ``"train"`` or ``"test"``; ``"all"`` of a file with a single set.
    indices
        The place of each image in the full data set, shape ``(example,)``.
    targets
        The numbers that a network should return for each image, shape ``(example, output)`` or
        ``(example, time, output)``, or None.
    """

    pixels: NDArray[np.uint8] | NDArray[np.float64]
    labels: NDArray[np.int64] | None
    name: str
    split: str
    indices: NDArray[np.int64]
    targets: NDArray[np.float64] | None = None

    @property
    def images(self) -> NDArray[np.float64]:
        """Intensities in [0, 1], shape ``(example, channel, y, x)``: a new array at every call."""
        return intensities(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one image, ``(channel, y, x)``."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    @property
    def declared(self) -> Declared:
        """Kind and shapes."""
        targets = None if self.targets is None else self.targets.shape[1:]
        return Declared("images", self.shape, self.name, self.split, targets=targets)

    def __len__(self) -> int:
        return len(self.pixels)


def intensities(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """Return pixels, bytes or numbers in [0, 1], as numbers in [0, 1]: a new array."""
    if pixels.dtype == np.uint8:
        return pixels / np.float64(255)
    return pixels.astype(np.float64)


def check_images(
    array: ArrayLike | FileArray, *, where: str = "images"
) -> NDArray[np.uint8] | NDArray[np.float64]:
    """Check an array of images, and return it with the four axes of `Images.pixels`.

    Parameters
    ----------
    array
        Shape ``(example, y, x)`` or ``(example, channel, y, x)``: bytes from 0 to 255, or numbers
        in [0, 1].
    where
        The file or argument that an error names.

    Returns
    -------
    numpy.ndarray
        Shape ``(example, channel, y, x)``: ``uint8`` for bytes, else ``float64``.

    Raises
    ------
    DataError
        If the array is empty, not numeric, of another number of axes, not finite, or outside the
        range.
    """
    declared = as_declared(array, where)
    check_image_shape(declared.shape, where)
    if declared.dtype.kind not in "buif":
        raise DataError(
            "images must be numbers",
            where=where,
            expected="bytes from 0 to 255, or numbers in [0, 1]",
            found=f"the type {declared.dtype}",
        )
    pixels = np.asarray(declared)
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels
    if pixels.dtype == np.uint8:
        return pixels
    pixels = pixels.astype(np.float64)
    _check_range(pixels, where)
    return pixels


def refuse_dark_bytes(pixels: NDArray[Any], where: str) -> None:
    """Refuse bytes of which the largest is 1: they are rather meant as 0 and 1 than as 0 and 1/255.

    Raises
    ------
    DataError
        If the largest is 1.
    """
    if pixels.dtype == np.uint8 and pixels.max() == 1:
        raise DataError(
            "bytes are intensities from 0 to 255, and the largest here is 1",
            where=where,
            hint="Store 255 for white, or truth values; of an array, white=1 says that 1 is white, "
            "white=255 that these are dark images",
        )


def check_image_shape(shape: tuple[int, ...], where: str) -> tuple[int, ...]:
    """Check the shape of an array of images, and return that of an image, (channel, y, x).

    Raises
    ------
    DataError
        If the array is empty, or has another number of axes.
    """
    if len(shape) not in (3, 4):
        raise DataError(
            "images have the wrong number of axes",
            where=where,
            expected="(example, y, x) or (example, channel, y, x)",
            found=f"the shape {shape}",
            hint="Reshape flat images to (example, y, x); a single image is image[None]"
            if len(shape) == 2
            else None,
        )
    if 0 in shape:
        raise DataError(
            "there are no images",
            where=where,
            expected="at least one image of at least one pixel",
            found=f"the shape {shape}",
        )
    return shape[1:] if len(shape) == 4 else (1, *shape[1:])


def _check_range(pixels: NDArray[np.float64], where: str) -> None:
    # NaN compares false with everything, so it counts as outside.
    inside = (pixels >= 0) & (pixels <= 1)
    if inside.all():
        return
    place = np.unravel_index(np.argmin(inside), pixels.shape)
    axes = ", ".join(f"{axis} {at}" for axis, at in zip(_AXES, place, strict=True))
    pixel = f"{pixels[place]} at {axes}"
    if not np.isfinite(pixels[place]):
        raise DataError("a pixel is not finite", where=where, found=pixel)
    raise DataError(
        "a pixel is outside the range",
        where=where,
        expected="numbers in [0, 1]",
        found=pixel,
        hint="Give bytes (uint8) for the range 0 to 255, or scale to [0, 1]; in Python, white=255 "
        "does so",
    )
