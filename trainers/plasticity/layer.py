"""A layer that learns, in PyTorch: its neurons, its pathways, and the order of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import rules_of
from bioae.noise import Key
from bioae.runs.tables import OptimiserSettings
from bioae.trainers.mirror.connections.pathways import Arrived, add
from bioae.trainers.mirror.layer import LayerMirror
from bioae.trainers.plasticity.synapses import PlasticPathway


class LayerLearner:
    """A layer whose pathways learn by the rules of its synapse models.

    Parameters
    ----------
    network
        The network.
    placed
        The layer.
    mirror
        Its mirror, for neurons and for pathways that do not learn.
    optimiser
        The optimiser of weights that learn, see `PlasticPathway`.
    """

    def __init__(
        self,
        network: Network,
        placed: PlacedLayer,
        mirror: LayerMirror,
        optimiser: OptimiserSettings | None = None,
    ) -> None:
        self._mirror, self._placed, self.name = mirror, placed, placed.name
        self._timing = network.config.timing
        like = mirror.neuron.start(1)["_spike"].new_zeros(())
        #: What the neurons have learned, by variable (neuron).
        self.learned = dict.fromkeys(placed.persistent, like.new_zeros(placed.size))
        self.paths = {
            name: PlasticPathway(
                placed, name, rule, dt=network.config.dt_seconds, like=like, optimiser=optimiser
            )
            for name, rule in rules_of(placed).items()
        }

    def run(
        self, emitted: Tensor, held: Mapping[str, Tensor], key: Key | None = None
    ) -> tuple[Tensor, list[Arrived | None]]:
        """Run a presentation on the output of the layer before, and learn from it.

        Returns the spikes (time, example, *shape), and the input of each step.
        """
        neuron, lead_in = self._mirror.neuron, self._timing.schedule.lead_in
        steps, examples = self._timing.steps, emitted.shape[1]
        values = self._begun(examples, key)
        recurrence = self._mirror.recurrence
        forward = self._path("weight")
        within = self._path("recurrent")
        arriving: list[Arrived | None]
        (source, *_) = self._placed.projections
        arriving = (
            [None] * (steps + lead_in)
            if forward
            else self._mirror.arriving({source.source: emitted})
        )
        sent = emitted.flatten(2)
        self._start(examples, held, key)
        spikes: list[Tensor] = []
        arrived: list[Arrived | None] = []
        for number, each in enumerate(arriving):
            step = number - lead_in
            values |= neuron.at(step, key)

            def receive(now: Mapping[str, Tensor], number: int = number) -> Arrived | None:
                fired = now["_spike"].flatten(1)
                inputs: Arrived | None = None
                if forward is not None and number < steps:
                    inputs = self._shaped(forward.deliver(sent[number]), now["_spike"])
                if within is not None:
                    inputs = add(inputs, self._shaped(within.deliver(fired), now["_spike"]))
                elif recurrence is not None:
                    inputs = add(inputs, recurrence(now))
                self._learn(number, sent[number] if number < steps else None, fired)
                return inputs

            if lead_in:
                self._integrate()
            arrived.append(neuron.step(values, each, receive))
            if not lead_in:
                self._integrate()
            self._keep_sources(number)
            if step >= 0:
                spikes.append(values["_spike"])
        self._keep(values)
        return torch.stack(spikes), arrived

    def _begun(self, examples: int, key: Key | None) -> dict[str, Tensor]:
        """Return the neurons' values at the start of a presentation."""
        values = self._mirror.neuron.start(examples, key)
        for name, own in self.learned.items():
            values[name] = own.view(self._placed.shape).expand_as(values[name])
        return values

    def _keep(self, values: Mapping[str, Tensor]) -> None:
        """Keep persistent variables, averaged over the examples."""
        for name in self.learned:
            self.learned[name] = values[name].mean(0).flatten()
        for path in self.paths.values():
            path.keep("post")
            path.keep("synapse")

    def _keep_sources(self, number: int) -> None:
        """Keep the persistent traces of sources in their last step of the period."""
        last = self._timing.steps + self._timing.schedule.lead_in - 1
        for path in self.paths.values():
            # The window of the layer before ends a step earlier.
            if number == last - (not path.recurrent):
                path.keep("pre")

    def _start(self, examples: int, held: Mapping[str, Tensor], key: Key | None) -> None:
        """Start the pathways; the traces of the layer before are a step ahead."""
        for path in self.paths.values():
            path.start(examples, held, key)
            for side, traces in path.traces.items():
                ahead = side == "pre" and not path.recurrent
                # In Brian2's order the input neurons start in the step before the layers' window.
                if ahead and (self._placed.depth > 1 or not self._timing.schedule.lead_in):
                    traces.integrate()

    def _integrate(self) -> None:
        for path in self.paths.values():
            for traces in path.traces.values():
                traces.integrate()

    def _learn(self, number: int, sent: Tensor | None, fired: Tensor) -> None:
        """Learn in a step of the period, then let the traces jump, see `docs/timing.md`."""
        lead_in, steps = self._timing.schedule.lead_in, self._timing.steps
        step = number - lead_in
        inside = step >= 1 - lead_in
        for path in self.paths.values():
            window = self._timing.learning(int(path.recurrent))
            keys = window.blocks(step, path.interval)
            if keys:
                since = window.since(step, path.interval)
                path.learn(step, keys, fired if path.recurrent else sent, fired, since)
        for path in self.paths.values():
            before = fired if path.recurrent else sent
            present = inside if path.recurrent else number < steps - 1 + lead_in
            if "pre" in path.traces and before is not None and present:
                path.traces["pre"].jump(before)
            if "post" in path.traces and inside:
                path.traces["post"].jump(fired)

    def _path(self, kind: str) -> PlasticPathway | None:
        return self.paths.get(f"{self._placed.name}.{kind}")

    def _shaped(self, inputs: Arrived, like: Tensor) -> dict[str, Any]:
        return {name: each.view_as(like) for name, each in inputs.items()}
