"""The validation split, cut from the training images."""

from __future__ import annotations

import numpy as np

from bioae.datasets import Data
from bioae.errors import DataError

__all__ = ["held_out"]

#: The third number of the seed of the split; the order of images and input spikes have 0 and 1.
_STREAM = 2


def held_out(images: Data, part: float, seed: int) -> tuple[Data, Data]:
    """Cut a validation split from images.

    Where there are labels it is stratified: each class contributes its share, up to one image.

    Parameters
    ----------
    images
        The images to cut from.
    part
        The number of images to hold out (an integer), or their fraction (below 1).
    seed
        The seed of the choice, which depends on nothing else but the images.

    Returns
    -------
    tuple
        The remaining images in their order, and those held out.

    Raises
    ------
    DataError
        If no image would remain.
    """
    total = len(images)
    count = part if isinstance(part, int) else max(round(part * total), 1)
    if count >= total:
        raise DataError(
            "no image would remain to train on",
            where="data.validation",
            expected=f"a part of the {total} training images",
            found=str(part),
        )
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, 0, _STREAM))))
    order = generator.permutation(total)
    if images.labels is not None:
        order = order[np.argsort(images.labels[order], kind="stable")]
    # Equal distances in an order by class take an equal share of each.
    places = ((np.arange(count) + 0.5) * total / count).astype(np.int64)
    chosen = np.zeros(total, dtype=bool)
    chosen[order[places]] = True
    return images[~chosen], images[chosen]
