"""Linear read-out of the class of an image from a layer's spike counts."""

from __future__ import annotations

import warnings
from typing import Literal

import numpy as np
import xarray as xr

from bioae.analysis.results.arrays import as_dataset, count_blocks
from bioae.analysis.results.layers import layer_data, of_layer
from bioae.analysis.results.outputs import classes
from bioae.analysis.results.repeats import first_presentations, stimulus_index
from bioae.checks import number, one_of, whole
from bioae.errors import ResultError

_ITERATIONS = 1000


@of_layer
def linear_readout(
    tree: xr.DataTree,
    layer: str,
    *,
    model: Literal["logistic", "ridge"] = "logistic",
    folds: int = 5,
    penalty: float = 1.0,
    seed: int = 0,
) -> xr.Dataset:
    """Cross-validated accuracy of a linear classifier of the spike counts.

    Counts are standardised with the mean and deviation of the training examples, and folds are
    stratified by class. In the result of `presentations`, all repeats of a stimulus are in one
    fold, so that no stimulus is tested that was also trained.

    Parameters
    ----------
    model
        ``"logistic"``, a multinomial logistic regression, or ``"ridge"``, a least-squares
        classifier, which is much faster.
    folds
        Number of folds; each is the test set once.
    penalty
        Penalty on the squared weights: the inverse of scikit-learn's ``C``, or ridge's ``alpha``.
    seed
        Seed of the division into folds.

    Returns
    -------
    xarray.Dataset
        ``accuracy (fold)``; the scalars ``mean_accuracy``, its ``standard_deviation`` over folds
        (ddof 1; no standard error, because the training sets overlap), ``chance``, the accuracy
        of always predicting the most frequent class, and ``unconverged``, the number of folds in
        which logistic regression did not converge within 1,000 iterations.

    Raises
    ------
    ResultError
        If the result has no labels, there are fewer than 2 classes, or the smallest has fewer
        examples (stimuli, where there are repeats) than there are folds.

    Notes
    -----
    All counts are in memory, in single precision, twice.
    """
    folds = whole(folds, "folds", least=2, error=ResultError)
    whole(seed, "the seed", most=2**32 - 1, error=ResultError)
    number(penalty, "penalty", above=0, error=ResultError)
    one_of(model, "model", ("logistic", "ridge"), error=ResultError)
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_validate
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    layer_data(tree, layer)
    _, index = classes(tree)
    stimuli = stimulus_index(tree)
    what = "examples" if stimuli is None else "stimuli"
    first, _ = first_presentations(tree)
    members = np.bincount(index[first])
    if members.size < 2 or members.min() < folds:
        raise ResultError(
            f"there are too few {what} to distinguish classes", where=layer,
            expected=f"2 classes of {folds} {what} or more",
            found=f"{members.size}, the smallest of {members.min(initial=first.size)}",
            hint=f"Choose fewer folds or more {what}",
        )  # fmt: skip
    counts = np.concatenate([count.astype(np.float32) for _, count in count_blocks(tree, layer)])
    linear = (
        LogisticRegression(C=1 / penalty, max_iter=_ITERATIONS)
        if model == "logistic"
        else RidgeClassifier(alpha=penalty)
    )
    division = StratifiedKFold if stimuli is None else StratifiedGroupKFold
    cv = division(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # These folds are counted instead.
        warnings.simplefilter("ignore", ConvergenceWarning)
        tested = cross_validate(
            make_pipeline(StandardScaler(), linear), counts, index, groups=stimuli, cv=cv,
            return_estimator=True, error_score="raise",
        )  # fmt: skip
    accuracy = tested["test_score"]
    # Ridge's is None.
    iterations = [getattr(fitted[-1], "n_iter_", None) for fitted in tested["estimator"]]
    unconverged = sum(int(np.max(n) >= _ITERATIONS) for n in iterations if n is not None)
    chance = np.bincount(index).max() / index.size
    scalars = {
        "mean_accuracy": ("mean accuracy of the read-out", accuracy.mean()),
        "standard_deviation": ("standard deviation over folds", accuracy.std(ddof=1)),
        "chance": ("share of the most frequent class", chance),
        "unconverged": ("folds without convergence", unconverged),
    }
    each = as_dataset({"accuracy": ("accuracy of the read-out", accuracy)}, "fold")
    return each.assign(as_dataset(scalars))
