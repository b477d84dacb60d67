"""Data that commands present to a trained network, from their options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from bioae.errors import DataError

if TYPE_CHECKING:
    from bioae.datasets import Data, DataOptions
    from bioae.networks import NetworkConfig

#: The data where a command names none.
DEFAULT_DATA = "sample"


def presented(config: NetworkConfig, data: str | None, **options: Unpack[DataOptions]) -> Data:
    """Load data for a network, by a name or a path; the embedded digits by default."""
    from bioae.simulation.presentations import converted

    if data is None:
        check_default(config)
    return converted(config, data or DEFAULT_DATA, **options)


def check_default(config: NetworkConfig) -> None:
    """Raise DataError, naming what a network receives, if the default data do not fit it."""
    from bioae.datasets import load
    from bioae.simulation.presentations import needed_input

    shape = load(DEFAULT_DATA, "test", 1).shape
    if config.input_shape != shape:
        raise DataError(
            f"the network needs other data than the default, digits of the shape {shape}",
            where="--data", expected=needed_input(config),
            hint="Name a file with --data; docs/data.md says how it holds them",
        )  # fmt: skip
