"""A layer in PyTorch: a population, its connections and its read-out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.errors import NetworkError
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.noise import Key, population_number
from bioae.trainers.mirror.activity import LayerActivity, Potential
from bioae.trainers.mirror.compiled.arrays import Arrays
from bioae.trainers.mirror.compiled.kernel import Path
from bioae.trainers.mirror.compiled.layer import READOUT, CompiledLayer
from bioae.trainers.mirror.compiled.plan import SUM, Timeline
from bioae.trainers.mirror.compiled.unsupported import Unsupported, warn_uncompiled
from bioae.trainers.mirror.connections.layer_pathways import layer_pathways
from bioae.trainers.mirror.connections.pathways import Arrived, Pathway, Recurrence, add, is_held
from bioae.trainers.mirror.layer_parameters import LayerOptions, trained_starts, with_bounds
from bioae.trainers.mirror.neuron import NeuronMirror
from bioae.trainers.mirror.population import Population
from bioae.trainers.mirror.trained import TrainedParameter, as_array

#: Whether a layer's steps are compiled; ``"auto"``: if possible.
Compile = bool | Literal["auto"]


class LayerMirror(nn.Module):
    """A population with its incoming connections and its read-out.

    Parameters
    ----------
    network
        The network, whose weights are copied.
    placed
        The layer.
    options
        The trained parameters, and the options of gradients.
    dtype, compile
        See `NetworkMirror`.
    arrays
        The source of memory for compiled layers in training.

    Raises
    ------
    NetworkError
        If bounds do not fit a parameter.
    """

    _fixed: Tensor | None

    def __init__(
        self,
        network: Network,
        placed: PlacedLayer,
        options: LayerOptions,
        *,
        dtype: torch.dtype,
        compile: Compile = False,  # noqa: A002 - as PyTorch has it
        arrays: Arrays | None = None,
    ) -> None:
        super().__init__()
        self.placed = placed
        self._compile = compile
        arrays = arrays or Arrays()
        self.weights = nn.ParameterDict()
        for name in (*placed.weight_shapes, *placed.bias_shapes):
            weights = torch.tensor(network.weights[name], dtype=dtype)
            self.weights[name.removeprefix(f"{placed.name}.")] = nn.Parameter(weights)
        self._feed, self._own = layer_pathways(placed, network.delays(placed), arrays)
        values = network.parameters(placed)
        model = with_bounds(placed.model, options.bounds, f"layer {placed.name}")
        trained = {
            name: TrainedParameter(model, name, start, dtype)
            for name, start in trained_starts(placed, model, values, options).items()
        }
        population = Population(
            placed.program,
            placed.shape,
            network.config.dt_seconds,
            network.config.timing.schedule,
            population_number(placed.depth),
            memory=max(self._own.delays, default=0) if self._own else 0,
        )
        common: dict[str, Any] = {
            "backward": options.backward,
            "dtype": dtype,
            "bias": self.weights["bias"] if placed.bias_shapes else None,
        }
        self.neuron = NeuronMirror(population, {**values, **trained}, **common)
        # A parameter that the neurons and the read-out have is one parameter.
        shared = {
            name: each
            for name, each in trained.items()
            if name in placed.shared_parameters
            and f"{placed.name}.readout.{name}" not in network.weights
        }
        number = population_number(placed.depth, readout=True)
        readout = replace(population, program=placed.readout_program, number=number, memory=0)
        own = network.parameters(placed, readout=True)
        self.readout = NeuronMirror(readout, {**own, **shared}, **common)
        self._compiled = CompiledLayer(self.neuron, self.readout, arrays) if compile else None
        fixed = placed.fixed_weights.get(f"{placed.name}.weight")
        tensor = None if fixed is None else torch.tensor(fixed, dtype=dtype)
        self.register_buffer("_fixed", tensor, persistent=False)

    def forward(
        self,
        emitted: Tensor,
        *,
        potential: Potential | None,
        record: Collection[str] = (),
        key: Key | None = None,
    ) -> LayerActivity:
        """Run a presentation on the output of the layer before (time, example, ...)."""
        if self._compiled is not None:
            try:
                return self._run_compiled(self._compiled, emitted, potential, record, key)
            except Unsupported as reason:
                if self._compile is True:
                    raise NetworkError(
                        "the layer cannot be compiled",
                        where=f"layer {self.placed.name}",
                        found=str(reason),
                        hint='Set compile = "auto", which leaves such layers uncompiled',
                    ) from reason
                warn_uncompiled(self.placed.name, str(reason))
        run = self.neuron(
            self.arriving(emitted),
            recurrence=self.recurrence,
            record={"_spike", *record},
            key=key,
        )
        spikes = run.recorded.pop("_spike")
        activity = LayerActivity(self.placed.name, spikes, states=run.recorded)
        if potential is not None:
            variable = self.placed.readout.decoded
            trace = self.readout(run.arrived, record=[variable], key=key).recorded[variable]
            activity.potential = trace if potential == "all" else None
            activity.final_potential = trace[-1]
        return activity

    def _run_compiled(
        self,
        compiled: CompiledLayer,
        emitted: Tensor,
        potential: Potential | None,
        record: Collection[str],
        key: Key | None,
    ) -> LayerActivity:
        pathway, lead_in = self._feed, self.neuron.schedule.lead_in
        steps = len(emitted) + lead_in
        if not pathway.uniform:
            raise Unsupported("a connection that has several delays")
        sent = min(len(emitted), steps - pathway.delays[0])
        variable = READOUT + self.placed.readout.decoded
        cut = self.neuron.backward.truncate or 0
        results = compiled(
            partial(pathway.sums, emitted, self._incoming, steps),
            pathway.names,
            Timeline(steps, lead_in, sent, pathway.delays[0], cut, is_held(emitted)),
            record=sorted({"_spike", *record, *([variable] if potential == "all" else [])}),
            final=[variable] if potential == "last" else [],
            summed=["_spike"],
            recurrent=self._own and partial(self._own_paths, self._own),
            key=key,
        )
        spikes, counts = results.pop("_spike"), results.pop(f"{SUM}_spike")
        trace = results.pop(variable, None)
        every, last = (None, trace) if potential == "last" else (trace, None)
        return LayerActivity(self.placed.name, spikes, every, results, last, counts)

    def _own_paths(self, pathway: Pathway) -> list[Path]:
        """Return the recurrent connections of each delay and sign."""
        return [
            Path(name, delay, kernel)
            for delay, kernels in pathway.kernels(self.weights["recurrent"])
            for name, kernel in kernels.items()
        ]

    @contextmanager
    def uncompiled(self) -> Iterator[None]:
        """Run every step with PyTorch's operations within the block."""
        compiled, self._compiled = self._compiled, None
        try:
            yield
        finally:
            self._compiled = compiled

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return weights and trained parameters, by their names in the network."""
        own = {name: as_array(weights) for name, weights in self.weights.items()}
        own |= {name: each.values() for name, each in self.neuron.trained.items()}
        return {f"{self.placed.name}.{name}": values for name, values in own.items()}

    @property
    def recurrence(self) -> Recurrence | None:
        """The recurrent input of the population, as a function of its spikes."""
        return self._own and self._own.recurrence(self.weights["recurrent"])

    def arriving(self, emitted: Tensor) -> list[Arrived | None]:
        """Return the input from the layer before in each step of a period.

        Parameters
        ----------
        emitted
            The output of that layer (time, example, ...).
        """
        steps = len(emitted) + self.neuron.schedule.lead_in
        return self._feed.over(emitted, self._incoming, steps)

    @torch.no_grad()
    def arrived(self, emitted: Tensor, spikes: Tensor, key: Key | None = None) -> Arrived:
        """Return the total input at each step of a presentation, for known spikes.

        Parameters
        ----------
        emitted
            The output of the layer before (time, example, ...).
        spikes
            The spikes of this layer (time, example, *shape), 0 or 1.
        key
            The key of the noise, if the model is noisy.

        Returns
        -------
        dict
            By name, as `NeuronMirror.step` takes it for one step (time, example, *shape).
        """
        arriving, lead_in = self.arriving(emitted), self.neuron.schedule.lead_in
        if self._own is not None:
            before = torch.zeros_like(spikes[0])
            if lead_in:
                # A result has no spikes of the lead-in step: they follow from the initial state.
                values = self.neuron.start(len(before), key) | self.neuron.at(-lead_in, key)
                self.neuron.step(values, arriving[0], self.recurrence)
                before = values["_spike"]
            emitted = torch.cat([before[None], spikes])[: len(arriving)]
            own = self._own.over(emitted, self.weights["recurrent"], len(arriving))
            arriving = [add(one, other) for one, other in zip(arriving, own, strict=True)]
        names = next(each for each in arriving if each)
        zero = dict.fromkeys(names, torch.zeros_like(spikes[0]))
        inside = [each or zero for each in arriving[lead_in:]]
        return {name: torch.stack([each[name] for each in inside]) for name in names}

    @property
    def _incoming(self) -> Tensor:
        """The weights from the layer before."""
        return self.weights["weight"] if self._fixed is None else self._fixed
