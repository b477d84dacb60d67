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
from bioae.datasets.forms.registry import Check, RecordedUnit, Request
from bioae.errors import DataError, InputError, did_you_mean, shortened
from bioae.inputs import as_path

__all__ = ["DataOptions", "check_data", "check_options", "convert", "load"]


class DataOptions(TypedDict, total=False):
    """Facts that data do not state themselves, and a selection of examples, see `convert`."""

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
    """Refuse a keyword that is neither an argument of a function nor an option of data.

    Raises
    ------
    InputError
        With the name of the function, which the user called, and a suggestion.
    """
    known = tuple(known)
    arguments = [
        name
        for name, parameter in signature(function).parameters.items()
        if parameter.kind is not Parameter.VAR_KEYWORD and name != "self"
    ]
    for name in options:
        if name not in known:
            raise InputError(
                f"{function.__name__}() has no argument {name!r}",
                hint=did_you_mean(name, [*arguments, *known])
                or f"Its arguments are {', '.join([*arguments, *known])}",
            )


def convert(
    source: Any,
    shape: Sequence[int] | None = None,
    *,
    points: int | None = None,
    check: Check | None = None,
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
    check
        Called with the kind and the shapes that a file declares, before its large arrays are read;
        raises an error to refuse them.
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
    limit = facts.pop("limit", None)
    chosen = _chosen(limit, facts.pop("examples", None))
    answers = {key: facts.pop(key, None) for key in ("labels", "targets")}
    answers = {key: as_array(each, key) for key, each in answers.items() if each is not None}
    # As many as there are selected examples are theirs, in order; others are those of all.
    of_all = {
        key: each
        for key, each in answers.items()
        if chosen is None or each.shape[:1] != chosen.shape
    }
    if facts.get("white") is not None:
        number(facts["white"], "white", above=0, error=DataError)
    if facts.get("split") is not None:
        one_of(facts["split"], "split", get_args(Split), error=DataError)
    request = Request(
        None if shape is None else tuple(shape), points, check,
        limit=None if chosen is None or of_all else int(chosen.max()) + 1,
        labelled="labels" in answers, **facts,
    )  # fmt: skip
    data = request.convert(source)
    data = data.assign(**of_all) if of_all else data
    data = data if chosen is None else _selected(data, chosen, limit)
    rest: Any = {key: answers[key] for key in answers if key not in of_all}
    return data.assign(**rest) if rest else data


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
    """Refuse what is not `Data`.

    Raises
    ------
    DataError
        If it is not.
    """
    instance(
        data, name, Data, error=DataError,
        hint="Make data of arrays: bioae.datasets.convert(images, labels=labels)",
    )  # fmt: skip


def _chosen(limit: Any, examples: Any) -> NDArray[Any] | None:
    """Return the positions of the selected examples; None for all."""
    if examples is None:
        if limit is None:
            return None
        return np.arange(whole(limit, "limit", least=1, error=DataError))
    if limit is not None:
        raise DataError("limit and examples exclude each other", hint="Give one of the two")
    chosen = any_array(examples)
    fits = chosen.dtype.kind in "iu" and chosen.ndim == 1 and len(chosen)
    if not fits or len(np.unique(chosen)) != len(chosen) or chosen.min() < 0:
        raise DataError(
            "these are not positions of examples",
            where="examples",
            expected="different whole numbers, 0 or more",
            found=shortened(repr(examples)),
        )
    return chosen


def _selected(data: Data, chosen: NDArray[Any], limit: int | None) -> Data:
    if chosen.max() < len(data):
        return data[chosen]
    where = None if data.name == data.kind else f"{data.name}, split {data.split}"
    if limit is None:
        raise DataError(
            "an example is not in the data",
            where=where,
            expected=f"positions from 0 to {len(data) - 1}",
            found=str(chosen.max()),
        )
    raise DataError(
        f"there are too few {data.kind}",
        where=where,
        expected=f"a limit of at most {len(data)}",
        found=f"{limit}",
    )
