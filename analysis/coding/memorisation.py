"""Memorisation of wrong labels."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bioae.analysis.coding.classification import wilson_interval
from bioae.analysis.results.arrays import ratio, whole_numbers
from bioae.errors import ResultError

__all__ = ["memorised_labels"]


def memorised_labels(
    predicted: ArrayLike, given: ArrayLike, true: ArrayLike, *, confidence: float = 0.95
) -> xr.Dataset:
    """Memorisation of wrong labels: how often training examples are predicted as mislabelled.

    Parameters
    ----------
    predicted
        The predicted class of each example of the training set, (example,).
    given
        The label with which it was trained, (example,).
    true
        Its true class, (example,).
    confidence
        Confidence level of the interval.

    Returns
    -------
    xarray.Dataset
        Of the examples whose label is wrong, the scalars ``memorised``, the fraction that is
        predicted as the wrong label, with Wilson's interval from ``low`` to ``high``, and
        ``recovered``, the fraction that is predicted as the true class. ``correct``: of the other
        examples, the fraction that is predicted as their label. The numbers of ``examples`` and of
        those that are ``mislabelled``. A fraction of no examples is NaN.

    Raises
    ------
    ResultError
        If the three are not whole numbers of the same examples.
    """
    columns = {"predicted": predicted, "given": given, "true": true}
    values = {name: whole_numbers(each, f"the {name} classes") for name, each in columns.items()}
    shapes = [each.shape for each in values.values()]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ResultError(
            "the classes are not those of the same examples",
            where=", ".join(values),
            expected="three times the shape (example,)",
            found=", ".join(map(str, shapes)),
        )
    guess, label, truth = values.values()
    wrong = label != truth
    mislabelled = int(wrong.sum())
    memorised = int((guess == label)[wrong].sum())
    low, high = wilson_interval(memorised, mislabelled, confidence=confidence)
    recovered, correct = (guess == truth)[wrong].sum(), (guess == label)[~wrong].sum()
    scalars: dict[str, tuple[object, str]] = {
        "memorised": (ratio(memorised, mislabelled), "wrong labels that are predicted"),
        "low": (low, "lower end of the interval"),
        "high": (high, "upper end of the interval"),
        "recovered": (ratio(recovered, mislabelled), "true classes predicted in their place"),
        "correct": (ratio(correct, len(wrong) - mislabelled), "true labels that are predicted"),
        "examples": (len(wrong), "examples"),
        "mislabelled": (mislabelled, "examples with a wrong label"),
    }
    return xr.Dataset(
        {
            name: ((), np.asarray(value), {"long_name": text, "units": "1"})
            for name, (value, text) in scalars.items()
        },
        attrs={"confidence": confidence},
    )
