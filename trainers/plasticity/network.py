"""A network that learns, in PyTorch: presentation after presentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bioae.errors import InputError, NetworkError
from bioae.networks.layer_base import ENCODER
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import PlasticState, rules_of
from bioae.noise import Key
from bioae.simulation.backend import Dtype
from bioae.simulation.engine import Learner, Updates
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk, join_chunks
from bioae.trainers.mirror.activity import LayerActivity
from bioae.trainers.mirror.connections.pathways import Arrived
from bioae.trainers.mirror.network import NetworkMirror
from bioae.trainers.mirror.recording import layer_spikes
from bioae.trainers.plasticity.layer import CommonLearner, LayerLearner, Sent, Signals
from bioae.trainers.plasticity.optimiser import WeightOptimiser
from bioae.trainers.plasticity.synapses import PlasticPathway
from bioae.trainers.plasticity.traces import TracesMirror

#: A part of the mirror that learns.
LearningPart: TypeAlias = LayerLearner | PlasticPathway | TracesMirror


class NetworkLearner(Learner):
    """A network that learns, presentation after presentation.

    `network`: the network as learning starts, see `bioae.networks.network.Network.learner`;
    `dtype`: the type of numbers; `updates`: the presentations that learn at once, and the optimiser
    of weights that learn.
    """

    def __init__(
        self, network: Network, dtype: Dtype = "float64", updates: Updates | None = None
    ) -> None:
        updates = updates or Updates()
        for placed in network.config.placed:
            for rule in rules_of(placed).values():
                rule.check_phases()
                if rule.model.reads_neuron and network.config.clock != "common":
                    raise NetworkError(
                        "rules that read their target's neuron learn on a common clock in PyTorch",
                        where=f"synapse model {rule.model.name!r}",
                        expected='clock = "common" in the network', found=network.config.clock,
                    )  # fmt: skip
        self._config, self._batch = network.config, updates.batch_size
        self._dtype = getattr(torch, dtype)
        self._mirror = NetworkMirror(network, dtype=self._dtype).eval()
        self._common = network.config.clock == "common"
        if self._common:
            _check_common(network.config.placed)
        layer = CommonLearner if self._common else LayerLearner
        self._layers = [
            layer(network, placed, self._mirror.layers[placed.name], updates.optimiser)
            for placed in network.config.placed
        ]
        self.state = PlasticState(network.config.placed, network.weights)
        self.moments = {name: np.asarray(each) for name, each in updates.moments.items()}

    @property
    def state(self) -> PlasticState:
        """The learned state of the network."""
        state = PlasticState(self._config.placed)
        for owner, kind, part in self._learning_parts():
            values = {name: each.double().numpy() for name, each in part.learned.items()}
            state.set(owner, kind, values)
        return state

    @state.setter
    def state(self, state: PlasticState) -> None:
        for owner, kind, part in self._learning_parts():
            values = state.get(owner, kind).items()
            part.learned = {n: torch.tensor(each, dtype=self._dtype) for n, each in values}

    def _learning_parts(self) -> Iterator[tuple[str, str, LearningPart]]:
        """Yield the parts that learn, each after its owner and kind, see `PlasticState.get`."""
        for layer in self._layers:
            yield layer.name, "neuron", layer
            for name, path in layer.paths.items():
                yield name, "synapse", path
                for side, traces in path.traces.items():
                    yield name, side, traces

    @property
    def moments(self) -> dict[str, NDArray[np.float64]]:
        """The state of the optimiser, by the name of the weights and its own."""
        return {
            f"{name}/{key}": each
            for name, optimiser in self._optimisers().items()
            for key, each in optimiser.moments.items()
        }

    @moments.setter
    def moments(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        weights = {name: path.weights for each in self._layers for name, path in each.paths.items()}
        own: dict[str, dict[str, NDArray[np.float64]]] = {name: {} for name in weights}
        for key, each in values.items():
            name, _, moment = key.rpartition("/")
            if name not in own or np.shape(each) not in ((), tuple(weights[name].shape)):
                raise InputError(
                    "the state of the optimiser does not fit the network", where=f"moments {key!r}"
                )
            own[name][moment] = each
        optimisers = self._optimisers()
        for name, moments in own.items():
            if not moments:
                continue
            expected = optimisers[name].expected if name in optimisers else {}
            if {key: np.ndim(each) for key, each in moments.items()} != expected:
                raise InputError(
                    "the state is that of another optimiser", where=f"moments of {name!r}",
                    expected=", ".join(sorted(expected)) or "none",
                    found=", ".join(sorted(moments)),
                )  # fmt: skip
            optimisers[name].restore(moments, weights[name])

    def _optimisers(self) -> dict[str, WeightOptimiser]:
        """Return the optimisers by the name of their weights."""
        paths = (item for layer in self._layers for item in layer.paths.items())
        return {name: path.optimiser for name, path in paths if path.optimiser is not None}

    def present(
        self, presented: Presentations, part: slice, held: Mapping[str, NDArray[np.float64]]
    ) -> Chunk:
        """Present some examples batch by batch, and learn from them."""
        starts = range(part.start, part.stop, self._batch)
        batches = [slice(start, min(start + self._batch, part.stop)) for start in starts]
        return join_chunks([self._present(presented, batch, held) for batch in batches])

    @torch.no_grad()
    def _present(
        self, presented: Presentations, part: slice, held: Mapping[str, NDArray[np.float64]]
    ) -> Chunk:
        """Present some examples at once, and learn from the average of their changes."""
        config, key = self._config, presented.key(part)
        emitted = torch.from_numpy(presented.drive(part)).to(self._dtype)
        numbers = {name: torch.from_numpy(v[part]).to(self._dtype) for name, v in held.items()}
        spikes, ran = [], {}
        if self._common:
            together = {e.name: e for e in self._layers if isinstance(e, CommonLearner)}
            ran = _run_common(together, emitted, numbers, key)
        for placed, layer in zip(config.placed, self._layers, strict=True):
            emitted, arrived = ran.get(placed.name) or layer.run(emitted, numbers, key)
            spikes.append(layer_spikes(placed, LayerActivity(placed.name, emitted)))
        activity = emitted
        if config.decoder.reads_potential:
            *_, last = self._mirror.layers.values()
            read = last.readout(arrived, record=[last.decoded], key=key)
            activity = read.recorded[last.decoded]
        self.state.check_range()
        output = config.decoder.decode(activity, default_scale=config.default_scale)
        return Chunk(tuple(spikes), output.reshape(-1, *config.output_shape).double().numpy())


def _check_common(layers: Sequence[PlacedLayer]) -> None:
    """Reject networks on a common clock that learn in Brian2 only (NetworkError)."""
    for placed in layers:
        found = [
            each.name
            for each in placed.projections
            if each.delay is not None or each.target is not None
            or each.layer.shares_weights or each.layer.listed
        ]  # fmt: skip
        if found:
            raise NetworkError(
                "the network learns by rules in Brian2 only", where=f"layer {placed.name!r}",
                expected="weights of all pairs of neurons, without a delay or a separate target",
                found=found[0],
            )  # fmt: skip


def _run_common(
    layers: Mapping[str, CommonLearner],
    emitted: Tensor,
    held: Mapping[str, Tensor],
    key: Key | None,
) -> dict[str, tuple[Tensor, list[Arrived | None]]]:
    """Run a presentation on the encoder's output (time, example, ...), and learn from it.

    Returns the spikes (time, example, *shape) and the input of each step, by layer.
    """
    schedule = next(iter(layers.values())).schedule
    examples, drive = emitted.shape[1], emitted.flatten(2)
    before = torch.zeros_like(drive[:1])
    drive = drive if schedule.at_once else torch.cat([before, drive])
    for layer in layers.values():
        layer.begin(examples, held, key)
    for step in range(len(emitted)):
        for layer in layers.values():
            layer.at(step, key)
        for slot in schedule.blocks:
            if slot != "synapses":
                for layer in layers.values():
                    layer.compute(slot)
                continue
            sent = {ENCODER: drive[step]} | {n: each.fired for n, each in layers.items()}
            inputs = [layer.inputs(sent) for layer in layers.values()]
            _learn(layers, step, sent)
            for layer, arrived in zip(layers.values(), inputs, strict=True):
                layer.receive(arrived)
        for layer in layers.values():
            layer.end()
    return {name: layer.finish() for name, layer in layers.items()}


def _learn(layers: Mapping[str, CommonLearner], step: int, sent: Sent) -> None:
    """Let the synapses that send signals back learn, then the others, then traces jump."""
    signals: Signals = {}
    # The order of Brian2's objects, in which signals are summed.
    senders = sorted((f"{n}__", n) for n in layers)
    for _, name in senders:
        layers[name].learn(step, sent, signals, sends=True)
    for layer in layers.values():
        layer.learn(step, sent, signals, sends=False)
    for layer in layers.values():
        layer.jump(step, sent)
