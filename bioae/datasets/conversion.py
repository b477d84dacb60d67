"""Conversion of data in the forms that users have, see `bioae.datasets.forms`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypedDict, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bioae.checks import any_array, instance, number, one_of, whole
from bioae.datasets.checks import as_array
from bioae.datasets.data import Data, Split
from bioae.datasets.forms.registry import RecordedUnit, Request
from bioae.errors import DataError, InputError, did_you_mean, shortened
from bioae.inputs import as_path


class DataOptions(TypedDict, total=False):
    """Metadata that the data lack, and a selection of examples, see `convert`."""

    labels: ArrayLike | None
    targets: ArrayLike | None
    split: Split | None
    limit: int | None
    examples: ArrayLike | None
    layout: str | None
    white: float | None
    sensor: Sequence[int] | None
    time_unit: RecordedUnit | None


def check_options(
    options: Mapping[str, object],
    function: Callable[..., object],
    known: Iterable[str] = DataOptions.__annotations__,
) -> None:
    """Raise InputError for a keyword that is neither an argument of a function nor of `known`."""
    known = tuple(known)
    names = [
        name
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is not Parameter.VAR_KEYWORD and name != "self"
    ]
    names += known
    for name in options:
        if name not in known:
            arguments = f"Its arguments are {', '.join(names)}"
            raise InputError(
                f"{function.__name__}() has no argument {name!r}",
                hint=" ".join(filter(None, [did_you_mean(name, names), arguments])),
            )


def convert(
    source: Any,
    shape: Sequence[int] | None = None,
    *,
    points: int | None = None,
    target: str | None = None,
    **options: Unpack[DataOptions],
) -> Data:
    """Return data in any of the forms of `docs/data.md` as `Data`.

    Parameters
    ----------
    source
        `Data`; the name of a data set, or a path; an array, a tensor, or bytes; an image of Pillow;
        a data set of PyTorch, torchvision or tonic; structured arrays of events; a recording of
        Neo; or a `SpikeMonitor` of Brian2.
    shape
        The shape of an image, (channel, y, x), or of a signal at one time, (channel,), as in the
        network's ``input_shape``. Flat and single images, signals in arrays, and recordings without
        a sensor need it.
    points
        The number of points in time of a signal, to recognise single ones.
    target
        The field that y of a pair (X, y) is, ``"labels"`` or ``"targets"``; by default labels where
        y holds a whole number per example.
    options
        ``labels``, ``targets``: those of each example, in place of those of the data; of the
        selected examples, or of all. ``split``: that of a named data set or a path, ``"test"`` by
        default. ``limit``: the number of examples, starting with the first. ``examples``: the
        positions of the examples to use, in place of `limit`; random input depends on the position
        of an example, not on the selection. ``layout``: the axes of an array in order, such as
        ``"NHWC"`` or ``"NCT"`` (N examples, C channels, H rows, W columns, T points in time).
        ``white``: the value of a pixel of full intensity, such as 255 for bytes in another type.
        ``sensor``: the numbers of columns, rows and polarities of events with the fields x, y and
        p, by default the ``sensor_size`` of their data set. ``time_unit``: the unit of the times of
        such events, ``"us"`` (the default), ``"ms"``, ``"s"`` or ``"step"``.

    Raises
    ------
    DataError
        If the form is not known, the data do not fit it, or an option does not apply.
    """
    check_options(options, convert)
    facts: dict[str, Any] = {**options}
    limit, positions = _selection(facts.pop("limit", None), facts.pop("examples", None))
    answers = {key: facts.pop(key, None) for key in ("labels", "targets")}
    answers = {key: as_array(each, key) for key, each in answers.items() if each is not None}
    # As many as there are selected examples are theirs, in order; others are those of all.
    count = limit if positions is None else len(positions)
    of_all = {key: each for key, each in answers.items() if each.shape[:1] != (count,)}
    if facts.get("layout") is not None:
        instance(facts["layout"], "layout", str, error=DataError)
    if shape is not None:
        instance(shape, "shape", Sequence, error=DataError)
        shape = [whole(each, "shape", least=1, error=DataError) for each in shape]
    if facts.get("white") is not None:
        number(facts["white"], "white", above=0, error=DataError)
    if facts.get("split") is not None:
        one_of(facts["split"], "split", get_args(Split), error=DataError)
    if target is not None:
        one_of(target, "target", ("labels", "targets"), error=DataError)
    request = Request(
        None if shape is None else tuple(shape), points,
        limit=None if of_all else limit, known=answers.keys(), target=target, **facts,
    )  # fmt: skip
    data = _with(request.convert(source), of_all)
    data = _selected(data, limit, positions)
    return _with(data, {key: answers[key] for key in answers if key not in of_all})


def load(
    name_or_path: str | Path = "sample", split: Split = "train", limit: int | None = None
) -> Data:
    """Load data by the name of a data set, or from a user's file.

    Parameters
    ----------
    name_or_path
        ``"sample"`` (digits that come with bioae), ``"mnist"`` or ``"fashion-mnist"`` (from the
        folder in ``BIOAE_DATA``, or fetched); or the path of a folder or a file, see
        `docs/data.md`. A name takes precedence over a folder of the same name; write ``./mnist``
        for the folder.
    split
        ``"train"`` or ``"test"``. A file with a single set of examples returns it for both, as
        the split ``"all"``.
    limit
        Return the first `limit` examples. The sample is ordered so that they are balanced over the
        classes.

    Raises
    ------
    DataError
        If there is no such data set or file, a file is damaged, its arrays do not fit, or there are
        fewer examples than `limit`.
    """
    one_of(split, "split", get_args(Split), error=DataError)
    if not isinstance(name_or_path, str):
        as_path(name_or_path, DataError, "data set")
    return convert(name_or_path, split=split, limit=limit)


def check_data(data: Any, name: str) -> None:
    """Raise DataError unless this is `Data`."""
    hint = "Make data of arrays: bioae.datasets.convert(images, labels=labels)"
    instance(data, name, Data, error=DataError, hint=hint)


def _with(data: Data, answers: dict[str, Any]) -> Data:
    return data.assign(**answers) if answers else data


def _selection(limit: Any, examples: Any) -> tuple[int | None, NDArray[Any] | None]:
    """Return the number of first examples that are needed, and the positions that are selected."""
    if examples is None:
        return None if limit is None else whole(limit, "limit", least=1, error=DataError), None
    if limit is not None:
        raise DataError("limit and examples exclude each other", hint="Give one of the two")
    positions = any_array(examples)
    fits = positions.dtype.kind in "iu" and positions.ndim == 1 and len(positions)
    if not fits or len(np.unique(positions)) != len(positions) or positions.min() < 0:
        expected, found = "different whole numbers, 0 or more", shortened(repr(examples))
        what = "these are not positions of examples"
        raise DataError(what, where="examples", expected=expected, found=found)
    return int(positions.max()) + 1, positions


def _selected(data: Data, needed: int | None, positions: NDArray[Any] | None) -> Data:
    if needed is None or (needed == len(data) and positions is None):
        return data
    where = None if data.name == data.kind else f"{data.name}, split {data.split}"
    if needed <= len(data):
        return data[np.arange(needed) if positions is None else positions]
    if positions is None:
        what, expected = f"there are too few {data.kind}", f"a limit of at most {len(data)}"
    else:
        needed -= 1
        what, expected = "an example is not in the data", f"positions from 0 to {len(data) - 1}"
    raise DataError(what, where=where, expected=expected, found=f"{needed}")
