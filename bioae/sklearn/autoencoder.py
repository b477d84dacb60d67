"""A spiking auto-encoder as a transformer."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import validate_data

from bioae.checks import whole
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig
from bioae.sklearn.base import SpikingEstimator, dense


@dataclass(eq=False, repr=False)
class SpikingAutoEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, SpikingEstimator):  # type: ignore[misc]
    """Spiking auto-encoder as a transformer: spike counts of latent neurons in place of features.

    Features are scaled to [0, 1] by the minimum and maximum of all training data; values outside
    that range are clipped. Each drives the network by a constant current for `steps` steps, and the
    decoder's outputs, scaled back, are the reconstruction.

    Parameters
    ----------
    n_components
        The number of latent neurons.
    steps
        The number of time steps of a presentation, of 1 ms.
    epochs, batch_size, learning_rate
        Passes over the training data, examples of one update, and Adam's step size.
    rate_per_step
        The mean spikes per step of latent neurons above which a penalty applies; None: no penalty.
    network
        The description of another network: a `NetworkConfig`, the name of a preset, or the table
        ``[network]`` of a training configuration (see `docs/networks.md`). It must have as many
        inputs as there are features, and sets `n_components` and `steps`. By default the features,
        `n_components` latent neurons and the read-outs are connected all to all.
    validation
        The fraction of the training data that is held out, to choose the best epoch; or a number of
        examples.
    random_state
        The seed of the weights, the order of examples, the held-out part and random input.

    Attributes
    ----------
    network_ : bioae.networks.network.Network
        The trained network.
    history_ : tuple of dict
        The metrics of each epoch.
    data_min_, data_max_ : float
        The minimum and maximum of the training data.
    n_features_in_ : int
        The number of features.

    Examples
    --------
    >>> from bioae.sklearn import SpikingAutoEncoder
    >>> from sklearn.datasets import load_digits
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = SpikingAutoEncoder(n_components=32, epochs=1, random_state=0).fit(X[:200])
    >>> model.transform(X[:5]).shape
    (5, 32)
    """

    n_components: int = 100
    _: KW_ONLY
    steps: int = 24
    epochs: int = 50
    rate_per_step: float | None = 0.07

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X
            The data, (example, feature).
        y
            Not used.

        Raises
        ------
        ValueError
            If the data are not finite numbers, or fewer than two examples.
        InputError
            If a parameter or the description of the network does not fit.
        """
        self._train(validate_data(self, X, dtype=np.float64, ensure_min_samples=2))
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the spike counts of latent neurons, (example, latent neuron)."""
        result = self.simulate(X)
        counts = result[f"layers/{self.network_.config.latent}"]["spike_count"]
        return np.asarray(counts, dtype=np.float64).reshape(counts.sizes["example"], -1)

    def reconstruct(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the reconstruction of data, (example, feature), in their units."""
        outputs = np.asarray(self.simulate(X)["reconstruction"], dtype=np.float64)
        scaled = outputs.reshape(len(outputs), -1)
        return scaled * (self.data_max_ - self.data_min_) + self.data_min_

    def score(self, X: ArrayLike, y: object = None) -> float:
        """Return the negative mean squared error of the reconstruction; larger is better."""
        return -float(np.mean((self.reconstruct(X) - self._checked(X)) ** 2))

    @property
    def _n_features_out(self) -> int:
        """The number of latent neurons, for `get_feature_names_out`."""
        config = self.network_.config
        return next(each.size for each in config.placed if each.name == config.latent)

    def _default_network(self) -> dict[str, Any]:
        features = self.n_features_in_
        return dense(
            features,
            {"latent": whole(self.n_components, "n_components", least=1, error=NetworkError)},
            {"shape": [1, 1, features], "parameters": {"tau": "80*ms"}},
            steps=self.steps,
            latent="latent",
            decoder={"kind": "max", "scale": 6.0},
        )

    def _regularised(self, network: NetworkConfig) -> list[str]:
        if network.latent is None:
            raise NetworkError(
                "the network names no latent layer, whose spikes are the code", where="network",
                expected="the key `latent`",
            )  # fmt: skip
        return [network.latent]
