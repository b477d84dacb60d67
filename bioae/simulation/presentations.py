"""Data that are presented to a network, and the drive that encodes them.

Each is presented once, or several times in a row with different noise: its repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from bioae.checks import whole
from bioae.datasets import Data, DataOptions, convert
from bioae.datasets.checks import check_indices
from bioae.datasets.hashing import data_sha256
from bioae.errors import DataError, InputError
from bioae.networks.config import NetworkConfig
from bioae.noise import Key
from bioae.random import check_key

#: The number of a repeat shares a word of 64 bits with that of a population, and is not negative.
_MOST_REPEATS = 2**31


@dataclass(frozen=True, eq=False)
class Presentations:
    """Presentations of data that fit a network: their repeats, example by example.

    Parameters
    ----------
    data
        The data, whose indices key random input.
    seed
        The seed of random input and of the noise of neurons.
    repeats
        The number of presentations of each example, which differ in their noise.
    cut
        The number of presentations that are left out, of the first example and of the last.
    """

    config: NetworkConfig
    data: Data
    seed: int
    repeats: int = 1
    cut: tuple[int, int] = (0, 0)

    @classmethod
    def of(
        cls,
        config: NetworkConfig,
        data: Data | Any,
        *,
        seed: int = 0,
        repeats: int = 1,
        **options: Unpack[DataOptions],
    ) -> Presentations:
        """Check data against a network.

        Parameters
        ----------
        config, seed, repeats
            As for the class.
        data, options
            Data in any of the forms of `bioae.datasets.convert`, and its options.

        Raises
        ------
        DataError
            If the data are empty, not finite, out of range or of the wrong shape, or their labels
            or targets do not fit the task.
        InputError
            If the seed is not an unsigned 64-bit integer, `repeats` is below 1, or there are
            several and the network has no noise.
        """
        data = converted(config, data, **options)
        check_fit(config, data)
        check_indices(data.indices, len(data), "examples")
        check_key(seed, "seed")
        repeats = whole(repeats, "repeats", least=1, most=_MOST_REPEATS)
        if repeats > 1 and not config.noisy:
            raise InputError(
                "the network has no noise: all repeats of an example would be equal",
                where="repeats",
                expected="1, or a network with a random encoder, noisy neurons or background",
                found=str(repeats),
            )
        if config.task.target != "images":
            config.task.known_target(data, config.steps)
        return cls(config, data, int(seed), repeats)

    def __len__(self) -> int:
        return len(self.data) * self.repeats - sum(self.cut)

    def __getitem__(self, part: slice) -> Presentations:
        """Return some consecutive presentations."""
        start, stop, _ = part.indices(len(self))
        begin, end = self.cut[0] + start, self.cut[0] + max(start, stop)
        first, last = begin // self.repeats, -(-end // self.repeats)
        cut = begin - first * self.repeats, last * self.repeats - end
        return replace(self, data=self.data[first:last], cut=cut)

    def showing(self, places: NDArray[np.int64]) -> Presentations:
        """Return presentations of the examples at some places, numbered in their order."""
        return replace(self, data=replace(self.data[places], indices=np.arange(len(places))))

    def in_memory(self) -> Presentations:
        """Return the same presentations, with values in files read."""
        if self.data.kind == "signals":
            return replace(self, data=replace(self.data, values=np.asarray(self.data.values)))
        return self

    @property
    def examples(self) -> NDArray[np.int64]:
        """The number of each example in its data set (example)."""
        return self.data.indices

    @property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The position of each presentation's example, and its repeat (presentation)."""
        return np.divmod(self.cut[0] + np.arange(len(self)), self.repeats)

    def values(self) -> NDArray[np.float64]:
        """Return images in [0, 1] (example, channel, y, x), or signals (example, time, channel)."""
        return values_of(self.config, self.data)

    def inputs(self) -> NDArray[np.float64]:
        """Return the inputs that a result stores: images, or signals at the network's steps."""
        values = self.values()
        if not self.config.in_time:
            return values
        return np.repeat(values, self.config.steps // self.config.points, axis=1)

    def drive(self, part: slice = slice(None)) -> NDArray[np.float32]:
        """Return the output of the encoder (time, presentation, *neurons)."""
        chosen = self[part]
        values, key = chosen.for_each(chosen.values()), chosen.key()
        return self.config.encoder.encode(
            values,
            np.asarray(key.examples),
            steps=self.config.steps,
            seed=key.seed,
            repeats=key.repeats,
        )

    def held(self, part: slice = slice(None)) -> NDArray[np.float64]:
        """Return the held values of the input, see `bioae.networks.encoders`.

        They are (presentation, neuron) for images; for signals, which vary in time, (step, neuron),
        the steps of one presentation and its lead-in after another.
        """
        config, chosen = self.config, self[part]
        values = config.encoder.held(chosen.values(), steps=config.steps)
        values = chosen.for_each(values)
        if not config.in_time:
            return values.reshape(len(values), -1)
        period = config.timing.period
        rows = np.zeros((len(values), period, values[0, 0].size))
        rows[:, : config.steps] = values.reshape(len(values), config.steps, -1)
        return rows.reshape(len(values) * period, -1)

    def key(self, part: slice = slice(None)) -> Key:
        """Return the key of the noise."""
        chosen = self[part]
        if self.repeats == 1:
            return Key(self.seed, chosen.examples)
        example, repeat = chosen.places
        return Key(self.seed, chosen.examples[example], repeat)

    def chunks(self, size: int) -> Iterator[slice]:
        """Split the presentations into parts of a fixed size; the last may be smaller."""
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    def for_each(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values of examples for each of their presentations."""
        return values if self.repeats == 1 else values[self.places[0]]

    @cached_property
    def sha256(self) -> str:
        """A hash of the data: values, labels, targets and indices."""
        return data_sha256(self.data)


def converted(config: NetworkConfig, data: Data | Any, **options: Unpack[DataOptions]) -> Data:
    """Return data in any form as those that a network receives; `check_fit` checks shapes."""
    if data is None:
        raise DataError("there are no data", where="data", expected=needed_input(config))
    return convert(
        data,
        config.input_shape,
        points=config.points if config.in_time else None,
        target=None if config.task.target == "images" else config.task.target,
        **options,
    )


def values_of(config: NetworkConfig, data: Data) -> NDArray[np.float64]:
    """Return the values to encode: images, or signals (see `Presentations`)."""
    if data.kind == "events":
        return data.frames(config.points, point_ms=_point_ms(config))
    return data.as_float()


def check_fit(config: NetworkConfig, data: Data) -> None:
    """Raise a `DataError` unless examples and their targets have the shapes that a network needs.

    Signals last as long as a presentation, and no event comes after it.
    """
    where = None if data.name == data.kind else f"{data.name}, split {data.split}"
    if (data.kind == "images") == config.in_time:
        raise DataError(
            f"the network receives {'signals' if config.in_time else 'images'}", where=where,
            expected=needed_input(config), found=f"{data.kind} of the shape {data.shape}",
        )  # fmt: skip
    if data.shape != config.input_shape:
        raise DataError(
            f"the {data.kind} do not fit the network", where=where,
            expected=f"({'channel' if config.in_time else 'channel, y, x'}) = {config.input_shape}",
            found=f"{data.shape}",
        )  # fmt: skip
    if data.points is not None and data.points != config.points:
        every = config.steps // config.points
        raise DataError(
            "the signals do not last as long as a presentation", where=where,
            expected=f"{config.points} points in time, for {config.steps} steps"
            + (f" and every = {every}" if every > 1 else ""),
            found=f"{data.points}",
            hint="Set steps, or the encoder's `every` (steps per point), in the network",
        )  # fmt: skip
    if data.targets is not None:
        config.task.check_target_shape(data.targets.shape[1:], config.steps)
    if data.kind == "events":
        data.check_times(config.points, point_ms=_point_ms(config))


def needed_input(config: NetworkConfig) -> str:
    """Return the kind and the shape of the examples that a network receives, as text."""
    if not config.in_time:
        return f"images of the shape (channel, y, x) = {config.input_shape}"
    shape = (config.points, *config.input_shape)
    return f"signals of the shape (time, channel) = {shape}, or events of {shape[-1]} channels"


def _point_ms(config: NetworkConfig) -> float:
    return config.dt_seconds * 1e3 * config.steps / config.points
