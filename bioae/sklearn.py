"""A spiking auto-encoder with the methods of scikit-learn.

`SpikingAutoEncoder` fits into pipelines, grid searches and cross-validation. The network that it
trains is a `bioae.networks.network.Network`, for simulation in Brian2 and analysis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from bioae.checks import instance, number, whole
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig

if TYPE_CHECKING:
    import xarray as xr
    from numpy.random import RandomState

    from bioae.networks.network import Network


__all__ = ["SpikingAutoEncoder"]

#: Neurons with soft reset, whose constants are trained.
_NEURON, _READOUT = "lif_subtract", "leaky_readout"


class SpikingAutoEncoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
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

    def __init__(
        self,
        n_components: int = 100,
        *,
        steps: int = 24,
        epochs: int = 50,
        batch_size: int = 16,
        learning_rate: float = 3e-2,
        rate_per_step: float | None = 0.07,
        network: NetworkConfig | Mapping[str, Any] | str | None = None,
        validation: float = 0.1,
        random_state: int | RandomState | None = None,
    ) -> None:
        self.n_components = n_components
        self.steps = steps
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.rate_per_step = rate_per_step
        self.network = network
        self.validation = validation
        self.random_state = random_state

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
        from bioae.api import train
        from bioae.trainers import TrainingConfig

        data = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        self.data_min_, self.data_max_ = float(data.min()), float(data.max())
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        config = TrainingConfig.from_mapping(self._tables(seed), where=type(self).__name__)
        result = train(config, self._images(data, config.network.input_shape))
        self.network_: Network = result.network
        self.history_ = result.records
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

    def simulate(self, X: ArrayLike) -> xr.DataTree:
        """Run the network on data in the mirror, and return the result; see `docs/result.md`.

        To run it in Brian2: ``bioae.simulate(model.network_, model.intensities(X))``.
        """
        from bioae.api import simulate

        images = self.intensities(X)
        return simulate(self.network_, images, "torch")

    def intensities(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return data scaled to the network's input, from 0 to 1, (example, channel, y, x)."""
        data = self._checked(X)
        return self._images(data, self.network_.config.input_shape)

    @property
    def _n_features_out(self) -> int:
        """The number of latent neurons, for `get_feature_names_out`."""
        config = self.network_.config
        return next(each.size for each in config.placed if each.name == config.latent)

    def _checked(self, values: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self)
        data: NDArray[np.float64] = validate_data(self, values, dtype=np.float64, reset=False)
        return data

    def _images(self, data: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Bring data to the range of intensities and to the shape of the input."""
        if int(np.prod(shape)) != data.shape[1]:
            raise ValueError(
                f"the network has an input of shape {shape}: expected {int(np.prod(shape))} "
                f"features, found {data.shape[1]}"
            )
        extent = self.data_max_ - self.data_min_
        scaled = (data - self.data_min_) / (extent if extent > 0 else 1.0)
        return np.clip(scaled, 0.0, 1.0).reshape(len(data), *shape)

    def _description(self) -> NetworkConfig:
        if isinstance(self.network, NetworkConfig):
            return self.network
        if isinstance(self.network, str):
            return NetworkConfig.preset(self.network)
        if self.network is not None:
            instance(self.network, "network", (NetworkConfig, Mapping, str), error=NetworkError)
            return NetworkConfig.from_mapping(self.network, where="network")
        latent = whole(self.n_components, "n_components", least=1, error=NetworkError)
        tables = _dense(self.n_features_in_, latent, self.steps)
        return NetworkConfig.from_mapping(tables, where=type(self).__name__)

    def _tables(self, seed: int) -> dict[str, Any]:
        """Return the tables of the training configuration."""
        target = self.rate_per_step
        if target is not None:
            target = number(target, "rate_per_step", above=0, most=1, error=NetworkError)
        epochs = whole(self.epochs, "epochs", least=1, error=NetworkError)
        network = self._description()
        latent = network.latent
        if latent is None:
            raise NetworkError(
                "the network names no latent layer, whose spikes are the code",
                where="network",
                expected="the key `latent`",
            )
        term = {"coefficient": 1.0, "layers": [latent], "target": target}
        return {
            "data": {"validation": self.validation},
            "network": network.to_mapping(),
            "training": {
                "epochs": epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "schedule": {"name": "cosine", "warm_up": min(0.2, epochs / 2)},
                "derivative": {"name": "arctan", "alpha": 2.0},
                "trainable": ["tau", "theta"],
                "gradient_clip": 0,
                "seed": seed,
            },
            "regularisers": {} if target is None else {"lambda2": term},
        }


def _dense(features: int, latent: int, steps: int) -> dict[str, Any]:
    return {
        "input_shape": [1, 1, features],
        "steps": steps,
        "schedule": "paper",
        "neuron": _NEURON,
        "latent": "latent",
        "encoder": {"kind": "constant_current", "gain": 0.2},
        "decoder": {"kind": "max", "scale": 6.0},
        "layers": [
            {"kind": "dense", "name": "latent", "units": latent, "bias": True, "gain": 4.0},
            {
                "kind": "dense", "name": "output", "shape": [1, 1, features], "bias": True,
                "neuron": _READOUT, "parameters": {"tau": "80*ms"},
            },
        ],
    }  # fmt: skip
