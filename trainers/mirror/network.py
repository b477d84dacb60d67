"""A network in PyTorch: layer after layer, each over all steps of a presentation at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bioae.network import Network, PlacedLayer
from bioae.noise import Key, population_number
from bioae.trainers.derivatives import Membrane, SpikeDerivative
from bioae.trainers.mirror.connections import connect
from bioae.trainers.mirror.constants import as_array
from bioae.trainers.mirror.neuron import NeuronMirror, Recurrence

__all__ = ["Activity", "LayerActivity", "LayerMirror", "NetworkMirror"]


@dataclass
class LayerActivity:
    """What a layer did in a presentation.

    Attributes
    ----------
    name
        The layer's name.
    spikes
        (time, example, *shape), 0 or 1.
    potential
        The potential U of the layer's read-out model, which is never reset, at the end of each
        step (time, example, *shape); None where it was not asked for.
    states
        The states that were asked for, by name (time, example, *shape).
    """

    name: str
    spikes: Tensor
    potential: Tensor | None = None
    states: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Activity:
    """What a network did in a presentation.

    Attributes
    ----------
    layers
        By name, in order.
    reconstruction
        The decoded images (example, channel, y, x).
    """

    layers: dict[str, LayerActivity]
    reconstruction: Tensor


class LayerMirror(nn.Module):
    """A population with the connections that feed it, and its read-out.

    Parameters
    ----------
    network
        The network, whose weights are copied.
    placed
        The layer.
    derivative, trainable, dtype
        See `NetworkMirror`.
    """

    def __init__(
        self,
        network: Network,
        placed: PlacedLayer,
        *,
        derivative: SpikeDerivative,
        trainable: Collection[str],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.placed = placed
        timing = network.config.timing
        common: dict[str, Any] = {
            "dt": network.config.dt_seconds,
            "schedule": timing.schedule,
            "derivative": derivative,
            "trainable": set(trainable) & placed.model.trainable.keys(),
            "dtype": dtype,
        }
        self.neuron = NeuronMirror(
            placed.program,
            placed.shape,
            network.parameters(placed),
            number=population_number(placed.depth),
            **common,
        )
        self.readout = NeuronMirror(
            placed.readout_program,
            placed.shape,
            network.parameters(placed, readout=True),
            number=population_number(placed.depth, readout=True),
            **common,
        )
        # What the two have in common is one parameter, trained once.
        for name in self.readout.trained.keys() & self.neuron.trained.keys():
            self.readout.trained[name] = self.neuron.trained[name]
        self.weights = nn.ParameterDict()
        for name in placed.weight_shapes:
            weights = torch.tensor(network.weights[name], dtype=dtype)
            self.weights[name.removeprefix(f"{placed.name}.")] = nn.Parameter(weights)

    def forward(
        self,
        emitted: Tensor,
        *,
        potential: bool,
        record: Collection[str] = (),
        key: Key | None = None,
    ) -> LayerActivity:
        """Run a presentation on what the layer before emitted (time, example, ...)."""
        steps = len(emitted)
        received = connect(self.placed.layer, _packed(emitted), self.weights["weight"])
        received = received.reshape(steps, -1, *self.placed.shape)
        idle = [None] * self.neuron.schedule.lead_in
        run = self.neuron(
            # Indexing in the loop would make the backward pass allocate all steps at each of them.
            [*received.unbind(0), *idle],
            recurrence=self.recurrence,
            record={"_spike", *record},
            key=key,
        )
        spikes = run.recorded.pop("_spike")
        activity = LayerActivity(self.placed.name, spikes, states=run.recorded)
        if potential:
            variable = self.placed.readout.input
            readout = self.readout(run.arrived, record=[variable], key=key)
            activity.potential = readout.recorded[variable]
        return activity

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return weights and trained parameters, by their names in the network."""
        parameters = [*self.weights.items(), *self.neuron.trained.items()]
        return {f"{self.placed.name}.{name}": as_array(values) for name, values in parameters}

    @property
    def recurrence(self) -> Recurrence | None:
        """What the population sends itself, as a function of its spikes."""
        return self._send if "recurrent" in self.weights else None

    def _send(self, spikes: Tensor) -> Tensor:
        sent = functional.linear(spikes.flatten(1), self.weights["recurrent"])
        return sent.reshape(spikes.shape)


def _packed(emitted: Tensor) -> Tensor:
    """Return all steps as one batch (step and example, ...), laid out for the connection."""
    batch = emitted.flatten(0, 1)
    if batch.ndim == 4 and batch.dtype == torch.float32 and batch.device.type == "cpu":
        # Convolutions are faster so, and what follows keeps the layout.
        return batch.contiguous(memory_format=torch.channels_last)
    return batch


class NetworkMirror(nn.Module):
    """A network in PyTorch, derived from its neuron models' equations.

    Parameters
    ----------
    network
        The network; its weights are copied.
    derivative
        What the derivative of a spike is taken to be.
    trainable
        Names of neuron parameters that are to be trained, in the layers whose models allow it.
    potentials
        Whether the potential U of every layer is computed, or of the last one where it is decoded.
    dtype
        The type of numbers: float64 to match Brian2 spike for spike, float32 for speed.
    """

    def __init__(
        self,
        network: Network,
        *,
        derivative: SpikeDerivative | None = None,
        trainable: Collection[str] = (),
        potentials: Literal["all", "decoded"] = "decoded",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.network = network
        self.config = network.config
        self.potentials = potentials
        self.layers = nn.ModuleDict(
            {
                placed.name: LayerMirror(
                    network,
                    placed,
                    derivative=derivative or Membrane(),
                    trainable=trainable,
                    dtype=dtype,
                )
                for placed in self.config.placed
            }
        )

    def forward(
        self, drive: Tensor, *, record: Collection[str] = (), key: Key | None = None
    ) -> Activity:
        """Run a presentation.

        Parameters
        ----------
        drive
            What the input emits (time, example, channel, y, x), see `bioae.encoders`; of any type
            of numbers, on any device.
        record
            States to record at the end of each step, in the layers whose models have them.
        key
            What the noise of neurons depends on: the seed and the examples' numbers. It may be
            None where no model is noisy.

        Raises
        ------
        InputError
            If a model is noisy and there is no key.
        """
        decoder = self.config.decoder
        *_, last = self.layers
        activities: dict[str, LayerActivity] = {}
        emitted = drive.to(next(self.parameters()))
        for name, layer in self._each():
            wanted = [state for state in record if state in layer.neuron.program.states]
            decoded = name == last and decoder.reads_potential
            activities[name] = layer(
                emitted, potential=decoded or self.potentials == "all", record=wanted, key=key
            )
            emitted = activities[name].spikes
        final = activities[last]
        activity = final.potential if decoder.reads_potential else final.spikes
        decoded = decoder.decode(
            activity, mean_drive=self.config.encoder.mean_drive(self.config.steps)
        )
        return Activity(activities, decoded.reshape(-1, *self.config.input_shape))

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """What is trained: ``LAYER.weight``, ``LAYER.recurrent`` and ``LAYER.PARAMETER``."""
        return {
            f"{name}.{key}": parameter
            for name, layer in self._each()
            for key, parameter in [*layer.weights.items(), *layer.neuron.trained.items()]
        }

    @property
    def synaptic(self) -> tuple[str, ...]:
        """The names of `weights` that are connections, and not parameters of neurons."""
        return tuple(name for placed in self.config.placed for name in placed.weight_shapes)

    def clamp_(self) -> None:
        """Move trained parameters of neurons back into the bounds that their models give."""
        for _, layer in self._each():
            layer.neuron.clamp_()

    def to_network(self) -> Network:
        """Return the network with its weights as they stand, in float64."""
        arrays: dict[str, NDArray[np.float64]] = {}
        for _, layer in self._each():
            arrays |= layer.arrays()
        return Network(self.config, {**self.network.weights, **arrays})

    def _each(self) -> Iterator[tuple[str, LayerMirror]]:
        for name, layer in self.layers.items():
            assert isinstance(layer, LayerMirror)
            yield name, layer
