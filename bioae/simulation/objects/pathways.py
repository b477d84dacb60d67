"""The connections of a layer in Brian2: the spikes that count, and the weights they add."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from brian2 import NeuronGroup, Synapses, second
from numpy.typing import NDArray

from bioae.equations.grammar import RESERVED_PREFIX
from bioae.equations.program import INHIBITION, INPUT, input_to
from bioae.errors import TargetError
from bioae.networks.inputs import Steps
from bioae.networks.layers import Conv2d, ConvTranspose2d, Pool2d
from bioae.networks.projections import PlacedProjection
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.objects.input import InputNeurons
from bioae.simulation.objects.presentation_clock import STEP, PresentationClock
from bioae.simulation.sharing import (
    Layout,
    SharedSynapses,
    conv2d,
    conv_transpose2d,
    dense,
    sparse,
)

#: The synaptic variable of the weight; named so that no neuron variable can collide.
WEIGHT = f"{RESERVED_PREFIX}w"

#: The synaptic variable of the delay in steps, where synapses differ in it.
DELAY = f"{RESERVED_PREFIX}delay"


@dataclass(frozen=True, eq=False)
class Pathway:
    """The connections of one array of weights, from which `Synapses` of a name are made."""

    name: str
    projection: PlacedProjection
    #: Whether negative weights are added to a separate variable of the target.
    separate_inhibition: bool
    #: The network's arrays, which list the synapses of sparse connections.
    arrays: Mapping[str, NDArray[Any]]
    weights: NDArray[Any]
    #: The delay of each weight in steps, in the shape of the weights; an array without
    #: dimensions where all have the same.
    delay: Steps
    clock: PresentationClock

    @property
    def conditions(self) -> list[str]:
        """Conditions on a spike, see `Timing.arriving`, without those that always hold."""
        timing = self.clock.timing
        if timing.carry_over:  # all of them count
            return []
        arriving = timing.arriving(self.projection.lag, own=self.projection.own)
        first, last = arriving.start, arriving.stop - 1
        conditions = []
        if self.delay.max() + first > -timing.schedule.lead_in:
            conditions.append(f"{STEP}_post >= {self._delay_code} + {first}")
        if self.delay.min() + last < timing.steps - 1:
            conditions.append(f"{STEP}_post <= {self._delay_code} + {last}")
        return conditions

    @property
    def _delay_code(self) -> str:
        return DELAY if self.delay.ndim else str(self.delay)

    def event(self, source: NeuronGroup) -> tuple[str | None, dict[str, Any]]:
        """Return Brian2 code that multiplies the weights of graded events, and its names.

        The code is of the source's variables (``v_pre``), its index ``i``, `DELAY`, and ``t``.
        Spikes arrive before variables are set for the next presentation.
        """
        if not isinstance(source, InputNeurons) or not source.graded:
            return None, {}
        event = source.graded_event(self._delay_code if self.delay.any() else None)
        return event, {source.table.name: source.table}

    def shared(self, source: NeuronGroup, target: NeuronGroup) -> SharedSynapses:
        """Make synapses that share weights; all have the same delay."""
        factor, namespace = self.event(source)
        return SharedSynapses(
            source,
            target,
            self._layout(),
            self.weights,
            variable=input_to(self.projection.target),
            negative=INHIBITION if self.separate_inhibition else None,
            delay=int(self.delay) * self.clock.dt * second,
            condition=" and ".join(self.conditions) or None,
            factor=factor,
            namespace=namespace,
            weight=WEIGHT,
            name=self.name,
        )

    def _layout(self) -> Layout:
        layer, shape = self.projection.layer, self.projection.source_shape
        if layer.listed:
            source, target = self.projection.indices(self.arrays)
            return sparse(math.prod(shape), math.prod(self.projection.shape), source, target)
        if isinstance(layer, Pool2d):
            layer = layer.convolution(shape)
        if not isinstance(layer, Conv2d | ConvTranspose2d):
            targets, sources = self.weights.shape
            return dense(sources, targets)
        channels, height, width = shape
        image = channels, height, width
        geometry = layer.model_dump(include={"kernel", "stride", "padding", "dilation", "groups"})
        if isinstance(layer, ConvTranspose2d):
            geometry["output_padding"] = layer.output_padding
            return conv_transpose2d(image, layer.channels, **geometry)
        return conv2d(image, layer.channels, **geometry)

    def unrolled(self, source: NeuronGroup, target: NeuronGroup) -> Synapses:
        """Make a synapse for each connection."""
        varied, dt = bool(self.delay.ndim), self.clock.dt
        factor, names = self.event(source)
        self._check_delays()
        synapses = Synapses(
            source,
            target,
            f"{WEIGHT} : 1" + (f"\n{DELAY} : integer (constant)" if varied else ""),
            on_pre="\n".join(self._adds(factor)),
            delay=None if varied else int(self.delay) * dt * second,
            namespace=names,
            clock=self.clock.clock,
            name=self.name,
        )
        weight = self.connect(synapses)
        setattr(synapses, WEIGHT, self.weights.astype(np.float64).ravel()[weight])
        return synapses

    def connect(self, synapses: Synapses) -> NDArray[np.int64]:
        """Make the synapses of an object, with their delays; return the weight of each."""
        connections = self.projection.connections(self.arrays)
        if not connections.source.size:  # as of one neuron with itself
            synapses.connect(condition="False")
            return connections.weight
        synapses.connect(i=connections.source, j=connections.target)
        if self.delay.ndim:
            delay = self.delay.ravel()[connections.weight]
            setattr(synapses, DELAY, delay)
            # An attribute would be indexed as a variable `delay` of the neurons.
            synapses.pre.variables["delay"].set_value(delay * self.clock.dt)
        return connections.weight

    def _check_delays(self) -> None:
        # brian2cuda reads delayed spikes from the slot that the step's threshold will fill: a step
        # too early where the schedule has pathways before thresholds.
        early = not self.clock.timing.schedule.at_once and self.delay.max() > 0
        if early and active_target() == "cuda_standalone":
            raise TargetError(
                "synapses with delays arrive early on CUDA, in the paper's order of a step",
                where=self.name,
                hint="Use --schedule brian2 or --target cpp_standalone, or, where one delay holds "
                "for all connections, --connectivity shared",
            )

    def _adds(self, factor: str | None) -> list[str]:
        factors = [f"int({condition})" for condition in self.conditions]
        factors = factors if factor is None else [factor, *factors]
        if not self.separate_inhibition:
            return [f"{input_to(self.projection.target)}_post += {'*'.join([WEIGHT, *factors])}"]
        excites = "*".join([WEIGHT, f"int({WEIGHT} > 0)", *factors])
        inhibits = "*".join([f"(-{WEIGHT})", f"int({WEIGHT} < 0)", *factors])
        return [f"{INPUT}_post += {excites}", f"{INHIBITION}_post += {inhibits}"]
