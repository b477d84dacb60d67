"""Examples that commands present to a trained network: read from options, checked, and selected."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bioae.cli.options import Split, integer
from bioae.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bioae.datasets import Data
    from bioae.datasets.data import Declared
    from bioae.datasets.recordings import RecordedUnit
    from bioae.networks import NetworkConfig

__all__ = ["DEFAULT_DATA", "check_default", "examples_of"]

#: The data where a command names none.
DEFAULT_DATA = "sample"


def examples_of(
    config: NetworkConfig,
    data: str | None,
    split: Split,
    *,
    count: int | None = None,
    examples: str | None = None,
    targets: bool = True,
    layout: str | None = None,
    white: float | None = None,
    sensor: Sequence[int] | None = None,
    time_unit: RecordedUnit | None = None,
) -> Data:
    """Load examples for a network: the first `count`, or those at some positions in the data set.

    Parameters
    ----------
    config
        The network.
    data
        A name or a path; the embedded digits by default.
    split
        The part of the data set.
    count
        The number of examples; all by default.
    examples
        Positions such as ``3,17``.
    targets
        Whether targets must be those of the network's task.
    layout, white, sensor, time_unit
        As for `bioae.datasets.convert`.

    Raises
    ------
    DataError
        If there are none, they do not fit the network, both a number and positions are given, or a
        position is repeated or outside the data set.
    """
    from bioae.datasets import convert
    from bioae.simulation.presentations import check_declared

    def check(declared: Declared) -> None:
        check_declared(config, declared if targets else replace(declared, targets=None))

    if data is None:
        check_default(config)
    read = partial(
        convert,
        data or DEFAULT_DATA,
        config.input_shape,
        points=config.points if config.in_time else None,
        split=split,
        check=check,
        layout=layout,
        white=white,
        sensor=sensor,
        time_unit=time_unit,
    )
    if examples is None:
        return read(limit=count)
    if count is not None:
        raise DataError("--images and --examples exclude each other", hint="Give one of the two")
    places = _positions(examples)
    loaded = read()
    outside = [place for place in places if not 0 <= place < len(loaded)]
    if outside:
        raise DataError(
            "an example is not in the data set",
            where="--examples",
            expected=f"places from 0 to {len(loaded) - 1}",
            found=str(outside[0]),
        )
    return loaded[places]


def check_default(config: NetworkConfig) -> None:
    """Check that the default data fit a network.

    Raises
    ------
    DataError
        If they do not, naming what the network receives.
    """
    from bioae.datasets import load
    from bioae.simulation.presentations import needed_input

    shape = load(DEFAULT_DATA, "test", 1).shape
    if config.input_shape != shape:
        raise DataError(
            f"the network needs other data than the default, digits of the shape {shape}",
            where="--data",
            expected=needed_input(config),
            hint="Name a file with --data; docs/data.md says how it holds them",
        )


def _positions(examples: str) -> list[int]:
    expected = "different places such as 3,17"
    try:
        places = [integer(part.strip()) for part in examples.split(",")]
    except ValueError:
        raise DataError(
            "the examples cannot be read",
            where="--examples",
            expected=expected,
            found=repr(examples),
        ) from None
    repeated = next((place for place in places if places.count(place) > 1), None)
    if repeated is not None:
        raise DataError(
            "an example is repeated",
            where="--examples",
            expected=expected,
            found=f"{repeated} again",
        )
    return places
