"""Events of the input of a network, counted without a simulation."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from bioae.datasets import Data, DataOptions
from bioae.datasets.conversion import check_options
from bioae.networks.artefact import NetworkLike, network_of
from bioae.simulation.presentations import Presentations


def input_events(
    network: NetworkLike, data: Data | Any, *, seed: int = 0, **options: Unpack[DataOptions]
) -> NDArray[np.float64]:
    """Count the events that each input neuron emits per example, averaged over the examples.

    `bioae.analysis.operations` takes them: a result does not hold the input's spikes.

    Parameters
    ----------
    network
        The network, whose encoder emits them; or an artefact, or the path or name of one.
    data, options
        As for `bioae.simulate`.
    seed
        The seed of random input.

    Returns
    -------
    NDArray
        In the shape of the input neurons, (channel, y, x) or (channel).

    Raises
    ------
    DataError
        If the data do not fit the network.
    """
    check_options(options, input_events)
    network = network_of(network)
    presented = Presentations.of(network.config, data, seed=seed, **options)
    events = np.zeros(network.config.encoded_shape)
    for part in presented.chunks(64):
        events += np.count_nonzero(presented.drive(part), axis=(0, 1))
    return events / max(1, len(presented))
