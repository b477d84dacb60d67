"""Comparison of a learning rule in the mirror and in Brian2: spikes, and weights."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bioae.checks import whole
from bioae.equations.model import NeuronModel
from bioae.equations.quantities import time_in_seconds
from bioae.equations.synapses.lowering import lower_synapse
from bioae.equations.synapses.model import CONNECTED, SynapseModel
from bioae.equations.synapses.numbers import usual_range, weight_bounds
from bioae.errors import ModelError
from bioae.networks.config import NetworkConfig
from bioae.networks.network import Network
from bioae.networks.plasticity import rules_of
from bioae.random import MAX_SEED, named_stream
from bioae.simulation.backend import BRIAN2_TARGETS, Backend, Target, known_target
from bioae.simulation.engine import Engine, Engines, Updates
from bioae.simulation.learning import in_parts
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.rewiring import NetworkRewiring
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.parity.networks import ACTIVE, GRID_BITS, checked_size, firing, never_fires
from bioae.trainers.parity.report import AGREEMENT, Parity
from bioae.trainers.plasticity.network import NetworkLearner

#: The largest difference of a weight after a presentation that begins with equal weights, where
#: libraries round differently: some units of the grid of weights.
_CLOSE = 2.0**-20

#: The least firing probability per step of a layer: a rule needs spikes to learn from.
_FIRING = 0.03

#: Doublings of the input of a layer until it fires.
_MOST_TRIALS = 24


@dataclass(frozen=True, repr=False)
class RuleParity(Parity):
    """The agreement of a learning rule in the mirror and in Brian2.

    Each presentation of the mirror begins with Brian2's weights. `one_step` is the fraction of
    presentations whose spikes all agree, and `max_state_error` the largest difference of a weight
    after one of them.

    Attributes
    ----------
    neuron
        The neuron model of the network.
    weights
        The number of weights that learn.
    changed
        The fraction of them that have changed at the end.
    differing_weights
        The number of weights that differ after a presentation, summed over presentations.
    exchanged
        The connections that others have replaced in Brian2, summed over presentations; None if
        the rule exchanges none.
    """

    neuron: str = ""
    weights: int = 0
    changed: float = 0.0
    differing_weights: int = 0
    exchanged: int | None = None

    @property
    def requirement(self) -> str:
        """The agreement that is required, as text."""
        if self.exact:
            return "every spike and weight"
        return f"{AGREEMENT} of the presentations, and weights up to rounding"

    @property
    def passed(self) -> bool:
        """Return whether the comparison meets its requirement."""
        if not self.spikes or not self.changed:
            return False
        if self.exact:
            return self.differing == 0 and self.differing_weights == 0
        return self.one_step >= AGREEMENT and self.max_state_error <= _CLOSE


def rule_network(
    model: SynapseModel, neuron: NeuronModel, *, neurons: int, steps: int, seed: int
) -> Network:
    """Return a random network of two layers, the first with recurrent connections, that learn.

    Weights that learn are uniform within the middle half of the rule's bounds, such as 0.25 to
    0.75. If these are below 0, only recurrent ones learn, in both layers. The unit of the weights
    of each layer is doubled until half of its neurons fire, in 3 % of the steps on average; if no
    input does that, it is a ModelError.
    """
    first, second = neurons - neurons // 2, neurons // 2
    units = {"first": 2.0**-8, "second": 2.0**-8}
    while True:
        network = _network(model, neuron, (first, second), units, steps=steps, seed=seed)
        quiet = _quiet(network, seed)
        if quiet is None:
            return network
        units[quiet] *= 2
        if units[quiet] > 2.0**_MOST_TRIALS:
            raise never_fires(neuron)


def rule_parity(
    model: SynapseModel,
    engines: Engines,
    *,
    neuron: NeuronModel,
    target: Target = "numpy",
    seed: int = 0,
    **size: int,
) -> RuleParity:
    """Compare a learning rule in the mirror with Brian2.

    `model`: the synapse model. The period of its ``[structure]`` is at most half of the
        presentations.
    `engines`, `target`: see `bioae.trainers.parity.comparison.compare`.
    `neuron`: the neuron model of the network, see `rule_network`.
    `size`: `neurons` in both layers together (40), and `steps` (50) of `examples` (20)
        presentations.

    Raises `ModelError` if no input makes half of the neurons fire, or the rule runs in Brian2 only.
    """
    lower_synapse(model).check_phases()
    lower_synapse(model).check_alone()
    target = known_target(target, BRIAN2_TARGETS)
    size = checked_size(size, {"neurons": 40, "steps": 50, "examples": 20}, neurons=4)
    whole(seed, "the seed", most=MAX_SEED)
    examples = size.pop("examples")
    model = _exchanging(model, size["neurons"], examples)
    network = rule_network(model, neuron, seed=seed, **size).learner()
    presented = _presented(network, examples, seed)
    draw = named_stream(seed, "rule_network", "held")
    held = {name: draw.integers(0, 2, examples).astype(np.float64) for name in model.held}
    return _compare(model, neuron, engines(network, Backend(target)), presented, held)


def _exchanging(model: SynapseModel, neurons: int, examples: int) -> SynapseModel:
    """Return a rule whose period ends within some presentations, if it exchanges connections."""
    table = model.structure
    if table is None:
        return model
    least = 2 * table.fan_in + 2
    if isinstance(table.fan_in, int) and neurons < least:
        raise ModelError(
            "the random network has fewer sources than the rule needs",
            where=f"{model.name}.toml, [structure] fan_in", found=str(table.fan_in),
            hint=f"Compare it with --neurons {least} or more, or give a fraction",
        )  # fmt: skip
    period = min(table.period, max(1, examples // 2))
    return model.model_copy(update={"structure": table.model_copy(update={"period": period})})


def _compare(
    model: SynapseModel,
    neuron: NeuronModel,
    engine: Engine,
    presented: Presentations,
    held: dict[str, NDArray[np.float64]],
) -> RuleParity:
    network, placed = engine.network, engine.network.config.placed
    mirror, rewiring = NetworkLearner(network), NetworkRewiring(network, presented.seed)
    state = before = mirror.state
    alive = np.zeros(sum(each.size for each in placed), bool)
    spikes = common = differing = equal = differing_weights = exchanged = 0
    worst = 0.0
    with closing(in_parts(engine, presented, 1, held=held, updates=Updates())) as parts:
        for part, brian, learner in parts:
            after, mirror.state = learner.state, state
            ours = mirror.present(presented, part, held)
            if rewiring.due(part.start, part.stop):
                mirror.state = rewiring(mirror.state, part.start, part.stop)
            one, other = _raster(brian), _raster(ours)
            alive |= one.any(axis=0)
            spikes += int(one.sum())
            common += int((one & other).sum())
            differing += int((one != other).sum())
            equal += int((one == other).all())
            learned = mirror.state.arrays
            errors = [np.abs(after.arrays[name] - values) for name, values in learned.items()]
            differing_weights += sum(int((each > 0).sum()) for each in errors)
            worst = max(worst, *(float(each.max()) for each in errors))
            exchanged += sum(state.new_connections(after).values())
            state = after
    reproducible = [each.program.reproducible for each in placed]
    reproducible += [rule.reproducible for each in placed for rule in rules_of(each).values()]
    return RuleParity(
        model=model.name,
        target=engine.backend.target,
        steps=network.config.steps,
        neurons=alive.size,
        examples=len(presented),
        spikes=spikes,
        active_fraction=float(alive.mean()),
        differing=differing,
        identical=1.0 - differing / (len(presented) * network.config.steps * alive.size),
        spike_agreement=common / (common + differing) if common + differing else 1.0,
        one_step=equal / len(presented),
        excused=0,
        explained=0,
        max_state_error=worst,
        exact=all(reproducible),
        neuron=neuron.name,
        weights=sum(each.size for each in state.arrays.values()),
        changed=_fraction(before.arrays, state.arrays),
        differing_weights=differing_weights,
        exchanged=None if model.structure is None else exchanged,
    )


def _network(
    model: SynapseModel,
    neuron: NeuronModel,
    sizes: tuple[int, int],
    units: dict[str, float],
    *,
    steps: int,
    seed: int,
) -> Network:
    dt = neuron.dt or "1*ms"
    seconds = time_in_seconds(dt, where=f"neuron model {neuron.name!r}, dt")
    low, high = usual_range(*weight_bounds(lower_synapse(model), seconds))
    inhibits = high <= 0
    rule: dict[str, Any] = {"kind": "dense", "synapse": None if inhibits else model.name}
    recurrent = {"recurrent": True, "recurrent_synapse": model.name}
    layers = [
        {**rule, "name": name, "units": size, "weight": f"{units[name]!r}*({neuron.weight})"}
        for name, size in zip(units, sizes, strict=True)
    ]
    for layer in layers if inhibits else layers[:1]:
        layer.update(recurrent)
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 1, sizes[0]],
            "dt": dt,
            "steps": steps,
            "neuron": neuron.name,
            "task": {"kind": "classification", "classes": sizes[1]},
            "encoder": {"kind": "bernoulli", "rate": 0.3},
            "decoder": {"kind": "count"},
            "layers": layers,
            "neurons": {neuron.name: neuron.to_mapping()},
            "synapses": {model.name: model.to_mapping()},
        },
        where="rule_network",
    )
    drawn = Network.initialise(config, seed=seed)
    weights = {}
    for placed in config.placed:
        for name, values in drawn.connection_weights(placed).items():
            least, most = (low, high) if name in placed.synapses else (0.0, 1.0)
            quarter = (most - least) / 4
            stream = named_stream(seed, "rule_network", name)
            weights[name] = stream.uniform(least + quarter, most - quarter, values.shape)
    for name, values in weights.items():
        if name.endswith(".recurrent"):
            np.fill_diagonal(values, 0.0)
        np.multiply(values, drawn.weights.get(f"{name}_{CONNECTED}", 1.0), out=values)
    return Network(config, {**drawn.weights, **weights}).quantised(GRID_BITS)


def _presented(network: Network, examples: int, seed: int) -> Presentations:
    shape = (examples, *network.config.input_shape)
    images = named_stream(seed, "rule_network", "images").uniform(0.2, 1.0, shape)
    return Presentations.of(network.config, images, seed=seed)


def _quiet(network: Network, seed: int) -> str | None:
    """Return the first layer that hardly fires, or None."""
    presented = _presented(network, 4, seed)
    drive = torch.from_numpy(presented.drive()).double()
    found = firing(NetworkMirror(network, dtype=torch.float64), drive, presented.key())
    return next((n for n, (active, r) in found.items() if active < ACTIVE or r < _FIRING), None)


def _raster(chunk: Chunk) -> NDArray[np.bool_]:
    """Return the spikes of all layers in one presentation (step, neuron)."""
    rasters = []
    for layer in chunk.layers:
        (counts,) = layer.counts
        raster = np.zeros((len(counts), layer.size), bool)
        raster[np.repeat(np.arange(len(counts)), counts), layer.neuron] = True
        rasters.append(raster)
    return np.concatenate(rasters, axis=1)


def _fraction(
    before: dict[str, NDArray[np.float64]], after: dict[str, NDArray[np.float64]]
) -> float:
    """Return the fraction of weights that have changed."""
    changed = sum(int((after[name] != values).sum()) for name, values in before.items())
    return changed / sum(int(values.size) for values in before.values())
