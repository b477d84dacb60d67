"""Compare the mirror with Brian2: the same spikes, neuron by neuron and step by step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bioae.analysis import differing_spikes, is_alive, layer_names
from bioae.datasets import Images
from bioae.equations.model import NeuronModel
from bioae.errors import ModelError
from bioae.network import Network, NetworkConfig, PlacedLayer
from bioae.noise import Key
from bioae.random import stream
from bioae.simulation.presentations import Presentations
from bioae.simulation.run import simulate
from bioae.simulation.targets import Target
from bioae.trainers.mirror.connections import connect
from bioae.trainers.mirror.network import LayerMirror, NetworkMirror
from bioae.trainers.mirror.simulate import simulate_mirror

__all__ = ["Parity", "compare", "model_parity", "parity_network"]

#: Weights are multiples of 2^-12: sums of them are exact in any order.
GRID_BITS = 12

_MOST_DOUBLINGS = 24


@dataclass(frozen=True)
class Parity:
    """How far the mirror and Brian2 agree.

    Attributes
    ----------
    model, target
        What ran, and where.
    steps, neurons, examples
        The size of the comparison: steps of a presentation, neurons of all layers, presentations.
    spikes
        Brian2's spikes.
    active_fraction
        The fraction of neurons that fired at all: says that the comparison was not empty.
    differing
        (neuron, step) pairs on which the two disagree.
    identical
        The fraction of such pairs that agree.
    spike_agreement
        Spikes that both have, of those that either has; 1 where neither has any.
    one_step
        The fraction of such pairs that agree when each step starts from Brian2's state.
    max_state_error
        The largest difference of a state variable, in base units.
    exact
        Whether agreement to the last spike is owed: weights on the grid, and no function of the
        state that libraries compute differently.
    """

    model: str
    target: str
    steps: int
    neurons: int
    examples: int
    spikes: int
    active_fraction: float
    differing: int
    identical: float
    spike_agreement: float
    one_step: float
    max_state_error: float
    exact: bool

    @property
    def passed(self) -> bool:
        """Whether the comparison shows what is owed."""
        return self.spikes > 0 and (self.differing == 0 if self.exact else self.one_step == 1.0)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)


def model_parity(
    model: NeuronModel,
    *,
    target: Target = "numpy",
    neurons: int = 100,
    steps: int = 200,
    examples: int = 4,
    seed: int = 0,
) -> Parity:
    """Compare the two sides on a small random network of a neuron model.

    Parameters
    ----------
    model
        The neuron model.
    target
        Where Brian2 runs it.
    neurons
        Neurons of both layers together.
    steps, examples
        Steps of a presentation, and how many there are.
    seed
        Seeds weights and input.

    Raises
    ------
    ModelError
        If no input makes half of the neurons fire.
    """
    network, images = parity_network(
        model, neurons=neurons, steps=steps, examples=examples, seed=seed
    )
    return compare(network, images, name=model.name, target=target, seed=seed)


def parity_network(
    model: NeuronModel, *, neurons: int, steps: int, examples: int, seed: int
) -> tuple[Network, NDArray[np.float64]]:
    """Return a random recurrent network of two layers and its input, scaled until it fires.

    Raises
    ------
    ModelError
        If no input makes half of the neurons fire.
    """
    second = neurons // 2
    layers = [
        {"kind": "dense", "name": name, "units": units, "recurrent": True, "gain": 1.0}
        for name, units in (("first", neurons - second), ("second", second))
    ]
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 1, second],
            "steps": steps,
            "neuron": model.name,
            "neurons": {model.name: model.to_mapping()},
            "encoder": {"kind": "bernoulli", "rate": 0.2},
            "decoder": {"kind": "count"},
            "layers": layers,
        },
        where=f"the parity network of {model.name!r}",
    )
    images = stream(seed, 0).uniform(0.2, 1.0, (examples, *config.input_shape))
    network = Network.initialise(config, seed=seed).quantised(GRID_BITS)
    for _ in range(_MOST_DOUBLINGS):
        if _active_fraction(simulate_mirror(network, images, seed=seed)) >= 0.5:
            return network, images
        # Only the input grows, or a layer would soon drive itself alone.
        doubled = {n: w if n.endswith("recurrent") else 2 * w for n, w in network.weights.items()}
        network = Network(config, doubled)
    raise ModelError(
        f"no input makes half of the neurons of {model.name!r} fire",
        mend="Give `weight` the size of an input that moves the neuron, in its unit",
    )


def compare(
    network: Network,
    images: Images | ArrayLike,
    *,
    name: str,
    target: Target = "numpy",
    seed: int = 0,
) -> Parity:
    """Compare the two sides of a network on images, in float64.

    Parameters
    ----------
    network
        The network.
    images
        What it is shown, as for `bioae.simulation.simulate`.
    name
        What the report calls the network.
    target
        Where Brian2 runs it.
    seed
        Seeds random input.
    """
    record = {name for placed in network.config.placed for name in _recorded(placed)}
    brian = simulate(network, images, target=target, seed=seed, record=record)
    mirror = simulate_mirror(network, images, seed=seed, record=record)
    spikes = differing_spikes(brian, mirror).sum("layer")
    differing, either = int(spikes["differing"]), int(spikes["differing"] + spikes["common"])
    shown = Presentations.of(network.config, images, seed=seed)
    return Parity(
        model=name,
        target=target,
        steps=network.config.steps,
        neurons=sum(placed.size for placed in network.config.placed),
        examples=len(shown),
        spikes=int(spikes["spikes_a"]),
        active_fraction=_active_fraction(brian),
        differing=differing,
        identical=1.0 - differing / int(spikes["compared"]),
        spike_agreement=int(spikes["common"]) / either if either else 1.0,
        one_step=_one_step(network, shown, brian),
        max_state_error=_state_error(network, brian, mirror),
        exact=_exact(network),
    )


def _recorded(placed: PlacedLayer) -> tuple[str, ...]:
    return tuple(name for name, state in placed.program.states.items() if not state.shared)


def _raster(result: xr.DataTree, placed: PlacedLayer) -> NDArray[np.bool_]:
    """Return a layer's spikes (time, example, neuron)."""
    data = result[f"/layers/{placed.name}"]
    steps = int(result.attrs["steps"])
    raster = np.zeros((steps, result.sizes["example"], placed.size), dtype=bool)
    step = np.rint(np.asarray(data["spike_time_ms"]) / result.attrs["dt_ms"]).astype(np.int64)
    example = result.indexes["example"].get_indexer(np.asarray(data["spike_example"]))
    neuron = np.asarray(data["spike_neuron"])
    raster[step, example, neuron] = True
    return raster


def _active_fraction(result: xr.DataTree) -> float:
    alive = [is_alive(result, layer).to_numpy() for layer in layer_names(result)]
    return float(np.concatenate(alive).mean())


def _exact(network: Network) -> bool:
    synaptic = {n for placed in network.config.placed for n in placed.weight_shapes}
    scaled = [network.weights[name] * 2.0**GRID_BITS for name in synaptic]
    on_grid = all((values == np.rint(values)).all() for values in scaled)
    return on_grid and all(placed.program.reproducible for placed in network.config.placed)


def _state_error(network: Network, brian: xr.DataTree, mirror: xr.DataTree) -> float:
    worst = 0.0
    for placed in network.config.placed:
        a, b = brian[f"/layers/{placed.name}"], mirror[f"/layers/{placed.name}"]
        for name in _recorded(placed):
            difference = a[f"state_{name}"].astype(float) - b[f"state_{name}"].astype(float)
            worst = max(worst, float(np.abs(difference.values).max()))
    return worst


@torch.no_grad()
def _one_step(network: Network, shown: Presentations, brian: xr.DataTree) -> float:
    """Return the agreement where each step of the mirror starts from Brian2's state before it."""
    mirror = NetworkMirror(network, dtype=torch.float64)
    emitted = torch.from_numpy(shown.drive()).double()
    agreeing = total = 0
    for placed in network.config.placed:
        raster = torch.from_numpy(_raster(brian, placed))
        layer = mirror.layers[placed.name]
        assert isinstance(layer, LayerMirror)
        states = brian[f"/layers/{placed.name}"]
        predicted = _predict(
            layer,
            emitted,
            raster.double(),
            states,
            key=shown.key(),
            dt=network.config.dt_seconds,
        )
        agreeing += int((predicted == raster[1:]).sum())
        total += predicted.numel()
        emitted = raster.double().reshape(*raster.shape[:2], *placed.shape)
    return agreeing / total


def _predict(
    layer: LayerMirror, emitted: Tensor, raster: Tensor, states: Any, *, key: Key, dt: float
) -> Tensor:
    """Return the spikes of all steps but the first (time, example, neuron), each on its own."""
    placed, neuron = layer.placed, layer.neuron
    steps, examples = raster.shape[:2]
    shape = (steps - 1, examples)
    received = connect(placed.layer, emitted.flatten(0, 1), layer.weights["weight"])
    received = received.reshape(-1, examples, *placed.shape)
    # What arrives in step n is what was emitted in step n, or in n + 1 where the schedule leads in.
    late = torch.zeros_like(received[:1]) if neuron.schedule.lead_in else received[:0]
    arriving = torch.cat([received, late])[1 + neuron.schedule.lead_in :]
    values = neuron.start((steps - 1) * examples, Key(key.seed, np.tile(key.examples, steps - 1)))
    values |= neuron.noise(key, range(1, steps), values["_spike"])
    for name in _recorded(placed):
        before = torch.from_numpy(states[f"state_{name}"].values[:, :-1].swapaxes(0, 1).copy())
        values[name] = before.reshape(-1, *placed.shape).to(values[name].dtype)
    values["_spike"] = raster[:-1].reshape(-1, *placed.shape)
    values["_fired"] = values["_spike"].bool()
    clock = torch.arange(1, steps, dtype=torch.float64) * dt
    values["t"] = clock.repeat_interleave(examples).reshape(-1, *(1 for _ in placed.shape))
    neuron.step(values, arriving.reshape(-1, *placed.shape), layer.recurrence)
    return values["_spike"].reshape(*shape, -1).bool()
