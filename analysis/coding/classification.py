"""Classification: predicted classes, accuracy, confusion and memorised labels, with intervals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from bioae.analysis.results.arrays import as_dataset, described, ratio, whole_numbers
from bioae.analysis.results.layers import of_result
from bioae.analysis.results.outputs import check_task, class_labels, output_of
from bioae.checks import floats, real
from bioae.errors import ResultError

_ENDS = {"low": "lower end of the interval", "high": "upper end of the interval"}
#: The level of the intervals.
CONFIDENCE = 0.95


@of_result
def predicted_class(tree: xr.DataTree) -> xr.DataArray:
    """Predicted class of each example, (example,): the largest output, the first in a tie."""
    check_task(tree, "classification")
    values = output_of(tree).argmax(1)
    array = xr.DataArray(values, coords={"example": tree["example"].to_numpy()}, dims="example")
    return described(array, "predicted_class", "predicted class")


@of_result
def accuracy(tree: xr.DataTree) -> xr.Dataset:
    """Fraction of examples whose class is predicted, with Wilson's interval.

    Returns
    -------
    xarray.Dataset
        The scalars ``accuracy``, ``low`` and ``high``, the numbers of ``examples`` and of
        ``correct`` ones, and ``chance``, the share of the most frequent class.
    """
    confusion = confusion_matrix(tree)["count"].to_numpy()
    examples, correct = int(confusion.sum()), int(confusion.trace())
    low, high = wilson_interval(correct, examples)
    chance = ratio(confusion.sum(1).max(), examples)
    return as_dataset(
        {
            "accuracy": ("accuracy", ratio(correct, examples)),
            "low": (_ENDS["low"], low),
            "high": (_ENDS["high"], high),
            "examples": ("examples", examples),
            "correct": ("correct predictions", correct),
            "chance": ("share of the most frequent class", chance),
        },
        attrs={"confidence": CONFIDENCE},
    )


@of_result
def confusion_matrix(tree: xr.DataTree) -> xr.Dataset:
    """Confusion matrix: how often each class is predicted as each class, with intervals.

    Returns
    -------
    xarray.Dataset
        Along ``true`` and ``predicted``: ``count``; ``fraction`` of the examples of the true class,
        with Wilson's interval from ``low`` to ``high``. NaN for a class without examples.
    """
    labels, classes = class_labels(tree), tree.sizes["unit"]
    place = labels * classes + predicted_class(tree).to_numpy()
    count = np.bincount(place, minlength=classes**2).reshape(classes, classes)
    total = count.sum(1, keepdims=True)
    low, high = wilson_interval(count, total)
    names = np.arange(classes)
    return as_dataset(
        {
            "count": ("examples", count),
            "fraction": ("fraction of the true class", ratio(count, total)),
            "low": (_ENDS["low"], low),
            "high": (_ENDS["high"], high),
        },
        ("true", "predicted"),
        coords={
            "true": ("true", names, {"long_name": "true class"}),
            "predicted": ("predicted", names, {"long_name": "predicted class"}),
        },
        attrs={"confidence": CONFIDENCE},
    )


def memorised_labels(predicted: ArrayLike, given: ArrayLike, true: ArrayLike) -> xr.Dataset:
    """Memorisation of wrong labels: fraction of mislabelled examples predicted as labelled.

    Parameters
    ----------
    predicted
        The predicted class of each example of the training set, (example,).
    given
        The label with which it was trained, (example,).
    true
        Its true class, (example,).

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
            "the classes are not those of the same examples", where=", ".join(values),
            expected="three times the shape (example,)", found=", ".join(map(str, shapes)),
        )  # fmt: skip
    guess, label, truth = values.values()
    wrong = label != truth
    mislabelled = int(wrong.sum())
    memorised = int((guess == label)[wrong].sum())
    low, high = wilson_interval(memorised, mislabelled)
    recovered, correct = (guess == truth)[wrong].sum(), (guess == label)[~wrong].sum()
    right = len(wrong) - mislabelled
    return as_dataset(
        {
            "memorised": ("wrong labels that are predicted", ratio(memorised, mislabelled)),
            "low": (_ENDS["low"], low),
            "high": (_ENDS["high"], high),
            "recovered": ("true classes predicted in their place", ratio(recovered, mislabelled)),
            "correct": ("true labels that are predicted", ratio(correct, right)),
            "examples": ("examples", len(wrong)),
            "mislabelled": ("examples with a wrong label", mislabelled),
        },
        attrs={"confidence": CONFIDENCE},
    )


def wilson_interval(
    successes: ArrayLike, trials: ArrayLike, *, confidence: float = CONFIDENCE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of a proportion, without correction for continuity.

    Parameters
    ----------
    successes, trials
        Numbers of successes and of trials, of shapes that fit together.
    confidence
        Confidence level, between 0 and 1.

    Returns
    -------
    tuple
        The lower and upper ends; NaN without trials.

    Raises
    ------
    ResultError
        If the level is not between 0 and 1, or successes are not between 0 and the trials.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212,
    doi:10.1080/01621459.1927.10502953.
    """
    if not 0 < real(confidence, "confidence", error=ResultError) < 1:
        raise ResultError(
            "a confidence level is out of range", where="confidence",
            expected="a number between 0 and 1", found=f"{confidence:g}",
        )  # fmt: skip
    counts = {"successes": successes, "trials": trials}
    k, n = np.broadcast_arrays(
        *(floats(v, f"{name} do not fit", error=ResultError) for name, v in counts.items())
    )
    if ((k < 0) | (k > n)).any():
        raise ResultError(
            "there are more successes than trials, or fewer than none",
            found=f"{k[(k < 0) | (k > n)].flat[0]:g}",
        )
    z = float(ndtri((1 + confidence) / 2))
    centre = ratio(k + z**2 / 2, n + z**2)
    half = z * ratio(np.sqrt(ratio(k * (n - k), n) + z**2 / 4), n + z**2)
    low = np.where(k == 0, 0.0, centre - half)
    high = np.where(k == n, 1.0, centre + half)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
