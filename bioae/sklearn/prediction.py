"""Spiking networks that predict classes or numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from bioae.checks import instance, whole
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.networks.tasks import Classification, Regression
from bioae.sklearn.base import SpikingEstimator, dense

if TYPE_CHECKING:
    from sklearn.utils import Tags


@dataclass(eq=False, repr=False)
class _Predictor(SpikingEstimator):
    """A network whose outputs are the mean potentials of neurons that never fire."""

    _scaled_over: ClassVar[int | None] = 0

    hidden_layer_sizes: Sequence[int] = (100,)

    @property
    @abstractmethod
    def _task(self) -> Classification | Regression:
        """The task of the training data."""

    def _outputs(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the outputs of the network, (example, output)."""
        return np.asarray(self.simulate(X)["output"], dtype=np.float64)

    def _default_network(self) -> dict[str, Any]:
        name = "hidden_layer_sizes"
        instance(self.hidden_layer_sizes, name, Sequence, error=NetworkError)
        hidden = {
            f"hidden{number}": whole(size, name, least=1, error=NetworkError)
            for number, size in enumerate(self.hidden_layer_sizes, 1)
        }
        (outputs,) = self._task.output_shape((), 1)
        return dense(
            self.n_features_in_, hidden, {"units": outputs, "gain": 0.5},
            steps=self.steps, task=self._task.model_dump(), decoder={"kind": "mean"},
        )  # fmt: skip

    def _regularised(self, network: NetworkConfig) -> list[str]:
        """Return the spiking layers before the last."""
        if network.task != self._task:
            raise NetworkError(
                "the task of the network is not that of the data", where="network",
                expected=f"task = {self._task.model_dump()}", found=f"{network.task.model_dump()}",
            )  # fmt: skip
        return [placed.name for placed in network.placed[:-1] if placed.can_fire]


class SpikingClassifier(ClassifierMixin, _Predictor):  # type: ignore[misc]
    """Spiking network as a classifier: the class of the largest mean potential.

    Each feature is scaled to [0, 1] by its minimum and maximum in the training data; values outside
    that range are clipped. It drives the network by a constant current for `steps` steps. Outputs
    are the mean potentials of neurons that never fire.

    Parameters
    ----------
    hidden_layer_sizes
        The number of spiking neurons of each hidden layer.
    rate_per_step
        The mean spikes per step of hidden neurons above which a penalty applies; None: no penalty.
    network
        The description of another network, see `SpikingAutoEncoder`, whose task is a classification
        with as many classes as the data. It sets `hidden_layer_sizes` and `steps`.
    steps, epochs, batch_size, learning_rate, validation, random_state
        As for `SpikingAutoEncoder`.

    Attributes
    ----------
    classes_ : ndarray
        The classes, in the order of the outputs.
    data_min_, data_max_ : ndarray
        The minimum and maximum of each feature of the training data.
    network_, history_, n_features_in_
        As for `SpikingAutoEncoder`.

    Examples
    --------
    >>> from bioae.sklearn import SpikingClassifier
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SpikingClassifier(epochs=2, random_state=0).fit(X[:200], y[:200])
    >>> model.predict_proba(X[:5]).shape
    (5, 10)
    """

    classes_: NDArray[Any]

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the network.

        Parameters
        ----------
        X
            The data, (example, feature).
        y
            The class of each example: numbers or texts.

        Raises
        ------
        ValueError
            If the data are not finite numbers, fewer than two examples, or of one class.
        InputError
            If a parameter or the description of the network does not fit.
        """
        data, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"expected two classes or more, found 1 class: {self.classes_[0]!r}")
        self._train(data, labels=labels)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the class of each example."""
        largest = self._outputs(X).argmax(1)
        return np.asarray(self.classes_[largest])

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each class, (example, class): the softmax of the outputs."""
        return np.asarray(softmax(self._outputs(X), axis=1))

    @property
    def _task(self) -> Classification:
        return Classification(classes=len(self.classes_))


class SpikingRegressor(RegressorMixin, _Predictor):  # type: ignore[misc]
    """Spiking network as a regressor: mean potentials are numbers.

    Features drive the network as in `SpikingClassifier`. Targets are standardised, and predictions
    scaled back.

    Parameters
    ----------
    hidden_layer_sizes, rate_per_step
        As for `SpikingClassifier`.
    network
        The description of another network, see `SpikingAutoEncoder`, whose task is a regression
        with as many outputs as the targets. It sets `hidden_layer_sizes` and `steps`.
    steps, epochs, batch_size, learning_rate, validation, random_state
        As for `SpikingAutoEncoder`.

    Attributes
    ----------
    target_mean_, target_std_ : ndarray
        The mean and standard deviation of each target of the training data.
    data_min_, data_max_, network_, history_, n_features_in_
        As for `SpikingClassifier`.

    Examples
    --------
    >>> from bioae.sklearn import SpikingRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> SpikingRegressor(epochs=2, random_state=0).fit(X[:200], y[:200]).predict(X[:5]).shape
    (5,)
    """

    target_mean_: NDArray[np.float64]
    target_std_: NDArray[np.float64]

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train the network.

        Parameters
        ----------
        X
            The data, (example, feature).
        y
            The targets, (example) or (example, target).

        Raises
        ------
        ValueError
            If the data or targets are not finite numbers, or fewer than two examples.
        InputError
            If a parameter or the description of the network does not fit.
        """
        data, y = validate_data(
            self, X, y, dtype=np.float64, ensure_min_samples=2, multi_output=True, y_numeric=True
        )
        targets = np.asarray(y, dtype=np.float64).reshape(len(data), -1)
        deviation = targets.std(axis=0)
        self.target_mean_ = targets.mean(axis=0)
        self.target_std_ = np.where(deviation > 0, deviation, 1.0)
        self._train(data, targets=(targets - self.target_mean_) / self.target_std_)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the targets of each example, (example) of a single one or (example, target)."""
        values = self._outputs(X) * self.target_std_ + self.target_mean_
        return values[:, 0] if values.shape[1] == 1 else values

    @property
    def _task(self) -> Regression:
        return Regression(outputs=len(self.target_mean_))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
