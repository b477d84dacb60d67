"""The network that a run starts from: with drawn weights, or a trained one (fine-tuning)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioae.equations.library import load_neuron
from bioae.errors import NetworkError
from bioae.networks import artefact
from bioae.networks.config import NetworkConfig
from bioae.networks.network import Network
from bioae.trainers.training.config import TrainingConfig
from bioae.trainers.training.tables import InitConfig


def starting_network(config: TrainingConfig, stored: Path | None = None) -> Network:
    """Return the network that a run starts from, with its weights.

    Without ``[training] init`` weights are drawn. With it they come from a trained network, in
    which every layer that fires then gets the neuron model that `init` names.

    If the configuration describes no network, the trained network's description is used. A run that
    is resumed has a `stored` start, and does not need the trained network again.

    Raises `ArtefactError` if there is no such trained network; `NetworkError` if the layers or
    shapes of the configuration's network differ from its own; `ModelError` if the neuron model does
    not fit, or cannot be calibrated.
    """
    init = config.training.init
    if init is None:
        if stored is not None:
            return artefact.load(stored).network
        return Network.initialise(config.network, seed=config.training.seed)
    described = config.network if config.gives_network else None
    if stored is None:
        before = artefact.load(init.model)
        _warn_of_seen_images(config, before.training, init.model)
        _check_calibration(before.network, described, init)
        start = _changed(before.network, described, init)
        return Network(start.config.self_contained(), start.weights)
    network = artefact.load(stored).network
    if described is None or described.self_contained() == network.config:
        return network
    # Only the description is compared: the weights are the run's in any case.
    return Network(_changed(network, described, init).config.self_contained(), network.weights)


def _check_calibration(network: Network, described: NetworkConfig | None, init: InitConfig) -> None:
    """Reject a description that has the new neuron already: it hides what weights were for."""
    if init.neuron is None or init.calibrate == "none" or described is None:
        return
    new = load_neuron(init.neuron)
    before = {placed.name: placed.model for placed in network.config.placed}
    for placed in described.placed:
        if placed.model == new != before.get(placed.name, new):
            raise NetworkError(
                f"[network] has the neuron {new.name!r} already, so that weights cannot be "
                "calibrated to it",
                where=f"layer {placed.name!r}",
                expected=f"the neuron that the weights were trained with, "
                f"{before[placed.name].name!r}",
                hint="Leave [network] out to take that of the trained network, or set "
                'calibrate = "none" in [training] init',
            )


def _warn_of_seen_images(config: TrainingConfig, before: Mapping[str, Any], model: str) -> None:
    """Say in one line if examples that are held out now may have been trained on before."""
    tables = (before.get(name) for name in ("data", "training", "learning"))
    data, training, learning = (each if isinstance(each, Mapping) else {} for each in tables)
    if data.get("name") != config.data.name:
        return
    now = {
        "training.seed": ((training or learning).get("seed", 0), config.training.seed),
        "data.train": (data.get("train"), config.data.train),
        "data.validation": (data.get("validation"), config.data.validation),
    }
    for key, (then, value) in now.items():
        if then != value:
            logging.getLogger("bioae").warning(
                "bioae: %s was trained with %s = %s, now it is %s: examples that are held out for "
                "validation may have been trained on",
                model, key, *("all" if each is None else each for each in (then, value)),
            )  # fmt: skip
            return


def _changed(network: Network, described: NetworkConfig | None, init: InitConfig) -> Network:
    if described is not None:
        network = _redescribed(network, described, init.model)
    if init.neuron is None:
        return network
    return network.with_neuron(init.neuron, calibrate=init.calibrate, copy=init.copy_parameters)


def _redescribed(network: Network, config: NetworkConfig, where: str) -> Network:
    """Return a network with its weights and another description of the same layers."""
    before = {placed.name: placed for placed in network.config.placed}
    after = {placed.name: placed for placed in config.placed}
    if list(before) != list(after):
        raise NetworkError(
            "the trained network has other layers than [network]", where=where,
            expected=", ".join(after), found=", ".join(before),
            hint="Leave [network] out to take that of the trained network",
        )  # fmt: skip
    weights = {}
    for name, placed in after.items():
        available = before[name].array_shapes
        for array, shape in placed.array_shapes.items():
            if available.get(array) != shape:
                raise NetworkError(
                    f"the weights {array!r} of the trained network do not fit [network]",
                    where=where, expected=f"the shape {shape}",
                    found=str(available.get(array, "none")),
                    hint="Leave [network] out to take that of the trained network",
                )  # fmt: skip
            weights[array] = network.weights[array]
        own: set[str] = set()
        if placed.model == before[name].model:
            own |= placed.parameter_shapes.keys()
        if placed.readout == before[name].readout:
            own |= placed.readout_shapes.keys()
        if placed.synapses == before[name].synapses:
            own |= placed.slots.keys() - placed.persistent.values()
        weights |= {array: network.weights[array] for array in own & network.weights.keys()}
    return Network(config, weights)
