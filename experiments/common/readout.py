"""A linear read-out of the class from the codes of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: The penalty of the linear read-outs, on standardised numbers.
PENALTY = 10.0


def class_accuracy(
    codes: NDArray[np.float64],
    labels: Any,
    test_codes: NDArray[np.float64],
    test_labels: Any,
) -> float:
    """Return the accuracy on test examples of a ridge classifier of standardised numbers.

    `codes`, `test_codes`: the numbers of each example (example, number): those to fit, and those to
    tell; `labels`, `test_labels`: their classes (example).
    """
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), RidgeClassifier(PENALTY))
    return float(classifier.fit(codes, labels).score(test_codes, test_labels))
