"""The splits of a run: training images, those held out to validate, and those of the test."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from bioae.datasets import Data, load
from bioae.errors import DataError
from bioae.simulation.presentations import check_declared, check_fit
from bioae.trainers.training.config import RunConfig

__all__ = ["Splits", "held_out", "splits"]

#: The third number of the seed of the split; the order of images and input spikes have 0 and 1.
_STREAM = 2


class Splits(NamedTuple):
    """The data to train on, and those on which a network is evaluated."""

    train: Data
    validation: Data
    test: Data


def splits(config: RunConfig) -> Splits:
    """Load the data of a run, and hold out those for validation.

    Raises
    ------
    DataError
        If there are none, they do not fit the network, or nothing would remain to train on.
    """
    data = config.data
    train, validation = held_out(
        _loaded(config, "train", data.train), data.validation, config.training.seed
    )
    return Splits(train, validation, _loaded(config, "test", data.test))


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


def _loaded(config: RunConfig, split: Literal["train", "test"], limit: int | None) -> Data:
    network = config.network
    data = load(config.data.name, split, limit, check=partial(check_declared, network))
    check_fit(network, data)
    if network.task.target != "images":  # refused before any training
        network.task.target_of(data, network.steps)
    return data
