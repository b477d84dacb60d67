"""Presentations from which a network learns: normalised weights, and examples shown again."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from pydantic import Field, ValidationError

from bioae.errors import NetworkError, describe
from bioae.fields import Count, Table


class _Description(Protocol):
    """The part of a network's description that teaching has to fit."""

    @property
    def placed(self) -> Any: ...

    @property
    def clock(self) -> str: ...

    @property
    def encoder(self) -> Any: ...


class Repeat(Table):
    """Presenting an example again, with more input, while a population fires too few spikes."""

    population: str = Field(description="the population whose spikes count")
    spikes: Count = Field(5, description="the spikes with which an example is done")
    gain: float = Field(
        0.5, ge=0, le=1e3, description="what each repetition adds to the input, as a part of that "
        "of the first presentation"
    )  # fmt: skip
    most: Count = Field(20, description="the most presentations of an example")


@dataclass(frozen=True)
class Teaching:
    """Changes between presentations from which a network learns.

    Attributes
    ----------
    normalise
        The sum of the weights into each neuron, before each example, by the name of the weights.
    repeat
        When an example is presented again; None: never.
    """

    normalise: Mapping[str, float] = field(default_factory=dict)
    repeat: Repeat | None = None

    @classmethod
    def of(
        cls,
        config: _Description,
        normalise: Mapping[str, float] | None,
        repeat: Repeat | Mapping[str, Any] | None,
    ) -> Self:
        """Check the options of `bioae.learn`, or raise NetworkError if they do not fit."""
        learning = [name for placed in config.placed for name in placed.synapses]
        for name, total in (normalise or {}).items():
            if name not in learning or not 0 < total < math.inf:
                raise NetworkError(
                    "only sums of weights that learn are normalised", where="normalise",
                    expected=f"a positive sum for {', '.join(learning) or 'none'}",
                    found=f"{name} = {total}",
                )  # fmt: skip
        check_copies(config.placed, "normalise", normalise or ())
        if repeat is not None:
            try:
                repeat = Repeat.model_validate(repeat)
            except ValidationError as error:
                raise NetworkError(**describe(error, Repeat), where="repeat") from None
            _check_repeat(config, repeat)
        return cls(dict(normalise or {}), repeat)

    def __bool__(self) -> bool:
        return bool(self.normalise or self.repeat)


def check_copies(layers: Iterable[Any], where: str, names: Collection[str] | None = None) -> None:
    """Reject weights (all by default) whose copies would stay behind as they change."""
    for placed in layers:
        for name, model in placed.synapses.items():
            if model.copies and (names is None or name in names):
                raise NetworkError(
                    "copies of these weights would not change with them", where=where,
                    expected="weights of synapses that add to one variable",
                    found=f"{name}, with {', '.join(model.copies)}",
                )  # fmt: skip


def _check_repeat(config: _Description, repeat: Repeat) -> None:
    firing = [placed.name for placed in config.placed if placed.can_fire]
    wrong = {
        "population": (repeat.population in firing, f"one of {', '.join(firing)}",
                       repeat.population),
        "clock": (config.clock == "common", "the clock 'common'", config.clock),
        "encoder": (config.encoder.draws, "an encoder of random spikes", config.encoder.kind),
    }  # fmt: skip
    for key, (fits, expected, found) in wrong.items():
        if not fits:
            raise NetworkError(
                "examples cannot be presented again", where=f"repeat, {key}", expected=expected,
                found=found,
            )  # fmt: skip
