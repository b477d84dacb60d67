"""The weights that a run starts from: drawn, or those of a trained network."""

from __future__ import annotations

from pathlib import Path

from bioae.errors import NetworkError
from bioae.networks import artefact
from bioae.networks.network import Network, NetworkConfig
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.config_tables import InitConfig

__all__ = ["START", "starting_network"]

#: The artefact in a run's folder from which it started, where it started from a trained network.
START = "start"


def starting_network(config: TrainingConfig, kept: Path | None = None) -> Network:
    """Return the network that a run starts from, with its weights.

    Without ``[training] init`` weights are drawn. With it they are those of a trained network, in
    which every layer then gets the neuron that `init` names.

    Parameters
    ----------
    config
        The run's configuration; its network is the trained one's where it gives none.
    kept
        What a run that is resumed started from: a resumed run does not need the trained network.

    Raises
    ------
    ArtefactError
        If there is no such trained network.
    NetworkError
        If the configuration's network is not of its layers and shapes.
    ModelError
        If the neuron model does not fit, or cannot be calibrated.
    """
    init = config.training.init
    if init is None:
        return Network.initialise(config.network, seed=config.training.seed)
    given = config.network if config.gives_network else None
    if kept is None:
        start = _changed(artefact.load(init.model).network, given, init)
        return Network(start.config.self_contained(), start.weights)
    network = artefact.load(kept).network
    if given is None or given.self_contained() == network.config:
        return network
    # The description is compared with that of the run; the weights are the run's in any case.
    return Network(_changed(network, given, init).config.self_contained(), network.weights)


def _changed(network: Network, given: NetworkConfig | None, init: InitConfig) -> Network:
    if given is not None:
        network = _described(network, given, init.model)
    if init.neuron is None:
        return network
    return network.with_neuron(init.neuron, calibrate=init.calibrate)


def _described(network: Network, config: NetworkConfig, where: str) -> Network:
    """Return the weights of a network in another description of the same layers."""
    before = {placed.name: placed for placed in network.config.placed}
    after = {placed.name: placed for placed in config.placed}
    if list(before) != list(after):
        raise NetworkError(
            "the trained network has other layers than [network]",
            where=where,
            expected=", ".join(after),
            found=", ".join(before),
            mend="Leave [network] out to take that of the trained network",
        )
    weights = {}
    for name, placed in after.items():
        found = before[name].array_shapes
        for array, shape in placed.array_shapes.items():
            if found.get(array) != shape:
                raise NetworkError(
                    f"the weights {array!r} of the trained network do not fit [network]",
                    where=where,
                    expected=f"the shape {shape}",
                    found=str(found.get(array, "none")),
                    mend="Leave [network] out to take that of the trained network",
                )
            weights[array] = network.weights[array]
        if placed.model == before[name].model:
            own = placed.parameter_shapes.keys() & network.weights.keys()
            weights |= {array: network.weights[array] for array in own}
    return Network(config, weights)
