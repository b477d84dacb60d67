"""Registry of the forms of data that users have: one function converts each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from bioae.datasets.data import Data, Known, Split
from bioae.errors import DataError

#: The units of times in recordings.
RecordedUnit = Literal["us", "ms", "s", "step"]
Convert = TypeVar("Convert", bound=Callable[..., Data])

#: The split of the examples of a file with a single set, which is that of both splits.
BOTH = "all"

#: The options that a form may have no use for.
_OPTIONS = ("split", "layout", "white", "sensor", "time_unit")


def is_list(source: Any, kind: Callable[[Any], bool]) -> bool:
    """Return whether this is a list, not empty, whose items are all of a kind."""
    return isinstance(source, list | tuple) and len(source) > 0 and all(map(kind, source))


def is_picture(source: Any) -> bool:
    """Return whether an object looks like an image of Pillow."""
    return hasattr(source, "getbands") and hasattr(source, "mode")


def is_recording(source: Any) -> bool:
    """Return whether this is a structured array, or a mapping of the fields of events."""
    if isinstance(source, Mapping):
        return "t" in source and "x" in source
    return getattr(getattr(source, "dtype", None), "names", None) is not None


@dataclass(frozen=True)
class Request:
    """Metadata that the source does not state, see `bioae.datasets.convert`.

    Parameters
    ----------
    shape, points, split, layout, white, sensor, time_unit
        As for `convert`; None where not known.
    limit
        The largest number of examples that are used, where known.
    known
        The caller's fields, labels or targets, in place of the data's own.
    target
        The field that the network should return, where there is a network.
    name
        The name of the data, where they have one.
    """

    shape: tuple[int, ...] | None
    points: int | None = None
    limit: int | None = None
    known: Collection[str] = ()
    target: str | None = None
    name: str | None = None
    split: Split | None = None
    layout: str | None = None
    white: float | None = None
    sensor: Sequence[int] | None = None
    time_unit: RecordedUnit | None = None

    def convert(self, source: Any) -> Data:
        """Convert a source by the form that recognises it, the last registered one first.

        Raise DataError if the data do not fit, or an option has no effect on data of this form.
        """
        chosen = next(each for each in [_DATA, *reversed(_FORMS)] if each.recognise(source))
        self.refuse(*(name for name in _OPTIONS if name not in chosen.options))
        return chosen.convert(source, self)

    def refuse(self, *names: str) -> None:
        """Raise DataError if an option is given that has no effect on data of this form."""
        for name in names:
            value = getattr(self, name)
            if value is not None:
                what, found = f"{name} has no effect on data of this form", repr(value)
                raise DataError(what, where=name, found=found, hint="Leave it out")

    def named(self, name: str) -> Request:
        """Return the request for a part of named data, which has no splits."""
        return replace(self, name=name, split=None)

    @property
    def source(self) -> Known:
        """Name and split of the data."""
        return {} if self.name is None else {"name": self.name, "split": BOTH}

    @property
    def in_time(self) -> bool:
        """True if arrays are signals."""
        signals = self.shape is not None and len(self.shape) == 1
        return signals or "T" in (self.layout or "")


@dataclass(frozen=True)
class _Form:
    recognise: Callable[[Any], bool]
    convert: Callable[[Any, Request], Data]
    options: tuple[str, ...]


_DATA = _Form(lambda source: isinstance(source, Data), lambda source, _: source, ())
_FORMS: list[_Form] = []


def form(recognise: Callable[[Any], bool], *options: str) -> Callable[[Convert], Convert]:
    """Register the decorated function as the conversion of a form of data.

    Parameters
    ----------
    recognise
        Whether an object has the form. No library is imported for it: look at its attributes.
    options
        The options of `convert` that have an effect on this form; others raise.

    Returns
    -------
    Callable
        A decorator of a function that takes the object and a `Request` and returns `Data`.
    """

    def register(convert: Convert) -> Convert:
        _FORMS.append(_Form(recognise, convert, options))
        return convert

    return register
