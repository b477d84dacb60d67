"""The data of a run: to train on, held out to validate, and to test on; and their order."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from bioae.datasets import Data, DataOptions
from bioae.errors import DataError
from bioae.networks.config import NetworkConfig
from bioae.networks.tasks import Rates, Task
from bioae.runs.tables import DataConfig
from bioae.simulation.presentations import check_fit, converted

#: The third number of the seed of the split; the order of examples and input spikes have 0 and 1.
_STREAM = 2


class Splits(NamedTuple):
    """Training, validation and, if any, test data."""

    train: Data
    validation: Data
    test: Data | None


class Given(NamedTuple):
    """Data in any form, in place of those that a configuration names.

    `train`: to train on, those for validation included; the training split of a name or a path;
    `test`: to test on; None: the test split of a name or a path, or none; `options`: labels, layout
    and others, see `bioae.datasets.convert`, of `train`.
    """

    train: Data | Any
    test: Data | Any | None
    options: DataOptions


def splits(
    data: DataConfig, network: NetworkConfig, seed: int, given: Given | None = None,
    task: Task | Rates | None = None,
) -> Splits:  # fmt: skip
    """Load the data of a run, and hold out those for validation, by a seed.

    They have the targets of the task, by default the network's. Given data take the place of the
    described ones. A network without input is presented nothing, once or `data.train` times; a
    single example without a target is used to train and validate.

    Raises `DataError` if there are none, they do not fit the network, or nothing would remain to
    train on.
    """
    test: Data | None = None
    task = task or network.task
    if given is None and not network.driven:
        given = Given(np.zeros((data.train or 1, *network.data_shape)), None, {})
    if given is None:
        whole = _loaded(data.name, network, task, split="train", limit=data.train)
        test = _loaded(data.name, network, task, split="test", limit=data.test)
    else:
        named = isinstance(given.train, str | os.PathLike)
        options = given.options.copy()
        if named:
            options.setdefault("split", "train")
        whole = _loaded(given.train, network, task, **options)
        if given.test is not None or named:
            test = _loaded(given.train if given.test is None else given.test, network, task)
    if len(whole) == 1 and task.target is None:
        return Splits(whole, whole, test)
    train, validation = held_out(whole, data.validation, seed)
    return Splits(train, validation, test)


def held_out(data: Data, part: float, seed: int) -> tuple[Data, Data]:
    """Cut a validation split from examples.

    Where there are labels it is stratified: each class contributes its share, up to one example.

    `data`: the data to cut from; `part`: the number of examples to hold out (an integer), or their
    fraction (below 1); `seed`: the seed of the choice, which depends on nothing else but the
    examples.

    Returns the remaining examples in their order, and those held out.

    Raises `DataError` if no example would remain.
    """
    total = len(data)
    count = part if isinstance(part, int) else max(round(part * total), 1)
    if count >= total:
        raise DataError(
            "no example would remain to train on", where="data.validation",
            expected=f"a part of the {total} training examples", found=str(part),
        )  # fmt: skip
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, 0, _STREAM))))
    order = generator.permutation(total)
    if data.labels is not None:
        order = order[np.argsort(data.labels[order], kind="stable")]
    # Equal distances in an order by class take an equal share of each.
    places = ((np.arange(count) + 0.5) * total / count).astype(np.int64)
    chosen = np.zeros(total, dtype=bool)
    chosen[order[places]] = True
    return data[~chosen], data[chosen]


def example_order(seed: int, epoch: int, examples: int) -> NDArray[np.int64]:
    """Return the order of the examples in an epoch, a permutation of their positions.

    Drawn from a counter-based generator (Philox 4x64; Salmon et al. 2011, SC '11).
    """
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch, 0))))
    return generator.permutation(examples)


def encoder_seed(seed: int, epoch: int) -> int:
    """Return the seed of an epoch's input spikes, below 2^32."""
    return int(np.random.SeedSequence((seed, epoch, 1)).generate_state(1)[0])


def _loaded(
    source: Data | Any, network: NetworkConfig, task: Task | Rates, **options: Unpack[DataOptions]
) -> Data:
    data = converted(network, source, **options)
    check_fit(network, data)
    if task.target not in {"images", None}:  # refused before any training
        task.target_of(data, network.steps)
    return data
