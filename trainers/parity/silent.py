"""Compare a model that never fires: its states instead of its spikes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bioae.equations.model import NeuronModel
from bioae.networks.network import Network, NetworkConfig
from bioae.random import stream
from bioae.simulation.backend import Backend, Target
from bioae.simulation.run import simulate
from bioae.trainers.mirror.simulate import simulate_mirror
from bioae.trainers.parity.networks import GRID_BITS
from bioae.trainers.parity.report import Parity

__all__ = ["silent_parity"]

#: Relative to the state's largest value: what libraries may differ by where they need not agree.
_CLOSE = 1e-9


def silent_parity(
    model: NeuronModel, *, target: Target, neurons: int, steps: int, examples: int, seed: int
) -> Parity:
    """Compare the two sides on a layer of a neuron model that has no threshold.

    Parameters
    ----------
    model, target, neurons, steps, examples, seed
        See `bioae.trainers.parity.model_parity`.
    """
    network, images = _network(model, neurons=neurons, steps=steps, examples=examples, seed=seed)
    (placed,) = network.config.placed
    record = list(placed.program.states)
    brian = simulate(network, images, Backend(target, record=record), seed=seed)
    mirror = simulate_mirror(network, images, seed=seed, record=record)
    exact = placed.program.reproducible
    differs: NDArray[np.bool_] = np.zeros((examples, steps, neurons), dtype=bool)
    moved: NDArray[np.bool_] = np.zeros(neurons, dtype=bool)
    worst = 0.0
    for name in record:
        a, b = (_trace(result, placed.name, name) for result in (brian, mirror))
        error = np.abs(a - b)
        worst = max(worst, float(error.max()))
        # What is not a number differs, too.
        differs |= ~(error <= (0.0 if exact else _CLOSE * np.abs(a).max()))
        moved |= (a != a[:, :1]).any(axis=(0, 1))
    identical = 1.0 - float(differs.mean())
    return Parity(
        model=model.name,
        target=target,
        steps=steps,
        neurons=neurons,
        examples=examples,
        spikes=0,
        active_fraction=float(moved.mean()),
        differing=int(differs.sum()),
        identical=identical,
        spike_agreement=1.0,
        one_step=identical,
        excused=0,
        max_state_error=worst,
        exact=exact,
        silent=True,
    )


def _network(
    model: NeuronModel, *, neurons: int, steps: int, examples: int, seed: int
) -> tuple[Network, NDArray[np.float64]]:
    shape = [1, 1, neurons]
    config = NetworkConfig.from_mapping(
        {
            "input_shape": shape,
            "steps": steps,
            **({"dt": model.dt} if model.dt else {}),
            "neuron": model.name,
            "neurons": {model.name: model.to_mapping()},
            "encoder": {"kind": "bernoulli", "rate": 0.2},
            "decoder": {"kind": "count"},
            "layers": [{"kind": "dense", "name": "silent", "shape": shape}],
        },
        where=f"the parity network of {model.name!r}",
    )
    images = stream(seed, 0).uniform(0.2, 1.0, (examples, *config.input_shape))
    return Network.initialise(config, seed=seed).quantised(GRID_BITS), images


def _trace(result: xr.DataTree, layer: str, state: str) -> NDArray[np.float64]:
    """Return a state (example, time, neuron)."""
    return np.asarray(result[f"/layers/{layer}"][f"state_{state}"].values, dtype=np.float64)
