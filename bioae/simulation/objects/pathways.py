"""The connections of a layer in Brian2: the spikes that count, and the weights they add."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from brian2 import Clock, NeuronGroup, Synapses, second
from numpy.typing import NDArray

from bioae.equations.names import RESERVED_PREFIX
from bioae.equations.program import INHIBITION, INPUT
from bioae.equations.synapses.program import Rule
from bioae.errors import TargetError
from bioae.networks.inputs import Steps
from bioae.networks.layers import Connections, Conv2d, ConvTranspose2d, LayerBase, Pool2d, Shape
from bioae.networks.schedule import Timing
from bioae.noise import pathway_number
from bioae.simulation.backend import Connectivity
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.objects.plastic_synapses import PlasticSynapses
from bioae.simulation.objects.population import Population
from bioae.simulation.objects.presentation_clock import STEP
from bioae.simulation.objects.traces import Traces
from bioae.simulation.sharing import Layout, SharedSynapses, conv2d, conv_transpose2d, dense

__all__ = ["DELAY", "WEIGHT", "AnySynapses", "Pathway"]

AnySynapses: TypeAlias = Synapses | SharedSynapses | PlasticSynapses

#: The synaptic variable of the weight; named so that no neuron variable can collide.
WEIGHT = f"{RESERVED_PREFIX}w"

#: The synaptic variable of the delay in steps, where synapses differ in it.
DELAY = f"{RESERVED_PREFIX}delay"


@dataclass(frozen=True, eq=False)
class Pathway:
    """The connections of one array of weights.

    Attributes
    ----------
    name
        The name of the `Synapses`.
    layer, input_shape
        The layer and the shape of its input, which say the two neurons that each weight joins.
    weights
        In any shape.
    delay
        The delay of each weight in steps, in the shape of the weights; an array without
        dimensions where all have the same.
    recurrent
        Whether the target is the source.
    timing
        The windows of presentations in the run.
    factor
        Brian2 code that multiplies weights, where spikes of the source are graded events: of the
        source's variables (``v_pre``), its index ``i``, `DELAY`, and ``t``. Spikes arrive before
        variables are set for the next presentation.
    namespace
        Names in the factor.
    """

    name: str
    layer: LayerBase
    input_shape: Shape
    weights: NDArray[Any]
    delay: Steps
    recurrent: bool
    timing: Timing
    factor: str | None = None
    namespace: Mapping[str, Any] = field(default_factory=dict)

    def learning(
        self,
        rule: Rule,
        source: NeuronGroup,
        target: Population,
        depth: int,
        *,
        clock: Clock,
        presentations: int,
        keys: NeuronGroup | None,
        start: Callable[[str], dict[str, NDArray[np.float64]]],
    ) -> PlasticSynapses:
        """Make synapses that learn.

        Parameters
        ----------
        rule
            The lowered synapse model.
        source, target, clock
            As for `build`.
        depth
            The target's depth in the network.
        presentations
            The number of presentations of a run.
        keys
            Keys of random numbers, from `noise_keys`.
        start
            What the rule has learned, by kind, see `PlasticState.get`.
        """
        traces = {
            side: Traces(
                program,
                {"pre": source, "post": target}[side],
                depth=depth if side == "post" or self.recurrent else depth - 1,
                timing=self.timing,
                clock=clock,
                name=f"{self.name}__{side}",
                persistent=start(side),
            )
            for side, program in rule.traces.items()
        }
        return PlasticSynapses(
            rule,
            source,
            target,
            start("synapse"),
            traces,
            variable=INPUT,
            negative=INHIBITION if target.separate_inhibition else None,
            delivers=" and ".join(self._conditions()),
            timing=self.timing,
            presentations=presentations,
            recurrent=self.recurrent,
            autapses=self.layer.autapses,
            weight=WEIGHT,
            keys=keys if rule.draws else None,
            number=pathway_number(depth, recurrent=self.recurrent),
            clock=clock,
            name=self.name,
        )

    def build(
        self, source: NeuronGroup, target: Population, clock: Clock, connectivity: Connectivity
    ) -> AnySynapses:
        """Make the synapses; those that differ in delay share no weights."""
        if connectivity == "shared" and not self.delay.ndim:
            return self._shared(source, target, clock)
        return self._unrolled(source, target, clock)

    def _shared(self, source: NeuronGroup, target: Population, clock: Clock) -> SharedSynapses:
        return SharedSynapses(
            source,
            target,
            self._layout(),
            self.weights,
            variable=INPUT,
            negative=INHIBITION if target.separate_inhibition else None,
            delay=int(self.delay) * float(clock.dt) * second,
            condition=" and ".join(self._conditions()) or None,
            factor=self.factor,
            weight=WEIGHT,
            namespace=dict(self.namespace),
            clock=clock,
            name=self.name,
        )

    def _layout(self) -> Layout:
        layer = self.layer
        if isinstance(layer, Pool2d) and not self.recurrent:
            layer = layer.convolution(self.input_shape)
        if self.recurrent or not isinstance(layer, Conv2d | ConvTranspose2d):
            targets, sources = self.weights.shape
            return dense(sources, targets)
        inputs, height, width = self.input_shape
        shape = inputs, height, width
        geometry = layer.model_dump(include={"kernel", "stride", "padding", "dilation", "groups"})
        if isinstance(layer, ConvTranspose2d):
            geometry["output_padding"] = layer.output_padding
            return conv_transpose2d(shape, layer.channels, **geometry)
        return conv2d(shape, layer.channels, **geometry)

    def _unrolled(self, source: NeuronGroup, target: Population, clock: Clock) -> Synapses:
        varied = bool(self.delay.ndim)
        dt = float(clock.dt)
        self._check_delays()
        synapses = Synapses(
            source,
            target,
            f"{WEIGHT} : 1" + (f"\n{DELAY} : integer (constant)" if varied else ""),
            on_pre="\n".join(self._adds(target)),
            delay=None if varied else int(self.delay) * dt * second,
            namespace=dict(self.namespace),
            clock=clock,
            name=self.name,
        )
        connections = self._connections()
        if not connections.source.size:  # as of one neuron with itself
            synapses.connect(condition="False")
            return synapses
        synapses.connect(i=connections.source, j=connections.target)
        weight = connections.weight
        setattr(synapses, WEIGHT, self.weights.astype(np.float64).ravel()[weight])
        if varied:
            delay = self.delay.ravel()[weight]
            setattr(synapses, DELAY, delay)
            # An attribute would be indexed as a variable `delay` of the neurons.
            synapses.pre.variables["delay"].set_value(delay * dt)
        return synapses

    def _check_delays(self) -> None:
        # brian2cuda reads delayed spikes from the slot that the step's threshold will fill: a step
        # too early where the schedule has pathways before thresholds.
        early = self.timing.schedule.lead_in == 0 and self.delay.max() > 0
        if early and active_target() == "cuda_standalone":
            raise TargetError(
                "synapses with delays arrive early on CUDA, in the paper's order of a step",
                where=self.name,
                hint="Use --schedule brian2 or --target cpp_standalone, or, where one delay holds "
                "for all connections, --connectivity shared",
            )

    def _connections(self) -> Connections:
        if self.recurrent:
            return self.layer.recurrent_connections(self.input_shape)
        return self.layer.connections(self.input_shape)

    def _adds(self, target: Population) -> list[str]:
        factor = self.factor
        factors = [f"int({condition})" for condition in self._conditions()]
        factors = factors if factor is None else [factor, *factors]
        if not target.separate_inhibition:
            return [f"{INPUT}_post += {'*'.join([WEIGHT, *factors])}"]
        excites = "*".join([WEIGHT, f"int({WEIGHT} > 0)", *factors])
        inhibits = "*".join([f"(-{WEIGHT})", f"int({WEIGHT} < 0)", *factors])
        return [f"{INPUT}_post += {excites}", f"{INHIBITION}_post += {inhibits}"]

    def _conditions(self) -> list[str]:
        """Return conditions on a spike, see `Timing.arriving`, without those that always hold."""
        arriving = self.timing.arriving(recurrent=self.recurrent)
        first, last = arriving.start, arriving.stop - 1
        delay = DELAY if self.delay.ndim else str(self.delay)
        conditions = []
        if self.delay.max() + first > -self.timing.schedule.lead_in:
            conditions.append(f"{STEP}_post >= {delay} + {first}")
        if self.delay.min() + last < self.timing.steps - 1:
            conditions.append(f"{STEP}_post <= {delay} + {last}")
        return conditions
