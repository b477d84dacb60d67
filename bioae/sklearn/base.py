"""The base of all estimators: a network's description and training, and its input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

import bioae
from bioae.checks import instance, number, whole
from bioae.errors import NetworkError
from bioae.networks.config import NetworkConfig

if TYPE_CHECKING:
    import xarray as xr
    from numpy.random import RandomState

    from bioae.networks.network import Network

#: Neurons with soft reset, whose constants are trained.
_NEURON, _READOUT = "lif_subtract", "leaky_readout"


@dataclass(eq=False, repr=False)
class SpikingEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator with the parameters that all share, see `SpikingAutoEncoder`."""

    #: The axis of `data_min_` and `data_max_`: None if all features are scaled together.
    _scaled_over: ClassVar[int | None] = None

    _: KW_ONLY
    steps: int = 16
    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 3e-2
    rate_per_step: float | None = None
    network: NetworkConfig | Mapping[str, Any] | str | None = None
    validation: float = 0.1
    random_state: int | RandomState | None = None

    data_min_: NDArray[np.float64] = field(init=False)
    data_max_: NDArray[np.float64] = field(init=False)
    network_: Network = field(init=False)
    history_: tuple[dict[str, Any], ...] = field(init=False)

    def simulate(self, X: ArrayLike) -> xr.DataTree:
        """Run the network on data in the mirror, and return the result; see `docs/result.md`.

        To run it in Brian2: ``bioae.simulate(model.network_, model.intensities(X))``.
        """
        images = self.intensities(X)  # raises before the network is missed
        return bioae.simulate(self.network_, images, "torch")

    def intensities(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return data scaled to the network's input, from 0 to 1, (example, channel, y, x)."""
        data = self._checked(X)
        return self._images(data, self.network_.config.input_shape)

    @abstractmethod
    def _default_network(self) -> dict[str, Any]:
        """Return the table of the network where the user describes none."""

    @abstractmethod
    def _regularised(self, network: NetworkConfig) -> list[str]:
        """Return the names of the layers that `rate_per_step` acts on."""

    def _train(self, data: NDArray[np.float64], **answers: Any) -> None:
        """Train the network on features, with their labels or targets."""
        from bioae.trainers import TrainingConfig

        self.data_min_ = data.min(axis=self._scaled_over)
        self.data_max_ = data.max(axis=self._scaled_over)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        config = TrainingConfig.from_mapping(self._tables(seed), where=type(self).__name__)
        result = bioae.train(config, self._images(data, config.network.input_shape), **answers)
        self.network_ = result.network
        self.history_ = result.records

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
        scaled: NDArray[np.float64] = (data - self.data_min_) / np.where(extent > 0, extent, 1.0)
        return np.clip(scaled, 0.0, 1.0).reshape(len(data), *shape)

    def _description(self) -> NetworkConfig:
        if isinstance(self.network, NetworkConfig):
            return self.network
        if isinstance(self.network, str):
            return NetworkConfig.preset(self.network)
        if self.network is not None:
            instance(self.network, "network", (NetworkConfig, Mapping, str), error=NetworkError)
            return NetworkConfig.from_mapping(self.network, where="network")
        return NetworkConfig.from_mapping(self._default_network(), where=type(self).__name__)

    def _tables(self, seed: int) -> dict[str, Any]:
        """Return the tables of the training configuration."""
        target = self.rate_per_step
        if target is not None:
            target = number(target, "rate_per_step", above=0, most=1, error=NetworkError)
        epochs = whole(self.epochs, "epochs", least=1, error=NetworkError)
        network = self._description()
        layers = self._regularised(network)
        term = {"coefficient": 1.0, "layers": layers, "target": target}
        trainable = {name for placed in network.placed for name in placed.model.trainable}
        return {
            "data": {"validation": self.validation},
            "network": network.to_mapping(),
            "training": {
                "epochs": epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "schedule": {"name": "cosine", "warm_up": min(0.2, epochs / 2)},
                "derivative": {"name": "arctan", "alpha": 2.0},
                "trainable": [name for name in ("tau", "theta") if name in trainable],
                "gradient_clip": 0,
                "seed": seed,
            },
            "regularisers": {} if target is None or not layers else {"lambda2": term},
        }


def dense(
    features: int, hidden: Mapping[str, int], output: Mapping[str, Any], **fields: Any
) -> dict[str, Any]:
    """Return the table of a network, connected all to all, whose outputs are potentials.

    `features`: the number of features; `hidden`: the number of neurons of each spiking layer, by
    name, in order; `output`, `fields`: further keys of the output layer and of the network.
    """
    gains = [4.0, *(1.0 for _ in hidden)]  # currents are weaker than spikes
    return {
        "input_shape": [1, 1, features],
        "schedule": "paper",
        "neuron": _NEURON,
        "encoder": {"kind": "constant_current", "gain": 0.2},
        "layers": [
            *(
                {"kind": "dense", "name": name, "units": units, "bias": True, "gain": gain}
                for (name, units), gain in zip(hidden.items(), gains, strict=False)
            ),
            {"kind": "dense", "name": "output", "bias": True, "neuron": _READOUT, **output},
        ],
        **fields,
    }
