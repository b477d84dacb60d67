"""A layer in PyTorch: a population, its connections and its read-out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from bioae.trainers.mirror.gradients import Backward
from bioae.trainers.mirror.layer_parameters import trained_starts, with_bounds
from bioae.trainers.mirror.neuron import NeuronMirror
from bioae.trainers.mirror.trained import TrainedParameter, as_array

__all__ = ["Compile", "LayerMirror", "LayerOptions"]

#: Whether a layer's steps are compiled; ``"auto"``: if possible.
Compile = bool | Literal["auto"]


@dataclass(frozen=True)
class LayerOptions:
    """Options of a single layer, which replace those of all layers.

    Attributes
    ----------
    backward
        The options of back-propagation; None: those of all layers.
    trainable
        The neuron parameters to train; None: those of all layers.
    bounds
        The bounds of trained parameters as text, by name, in place of the model's. A parameter for
        which the model has none can be trained, too.
    """

    backward: Backward | None = None
    trainable: Collection[str] | None = None
    bounds: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class LayerMirror(nn.Module):
    """A population with its incoming connections and its read-out.

    Parameters
    ----------
    network
        The network, whose weights are copied.
    placed
        The layer.
    backward
        The options of back-propagation.
    trainable, per_neuron, dtype, compile
        See `NetworkMirror`.
    arrays
        The source of memory for compiled layers in training.
    options
        The options that differ from these.

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
        *,
        backward: Backward,
        trainable: Collection[str],
        per_neuron: Collection[str],
        dtype: torch.dtype,
        compile: Compile = False,  # noqa: A002 - as PyTorch has it
        arrays: Arrays | None = None,
        options: LayerOptions | None = None,
    ) -> None:
        super().__init__()
        self.placed = placed
        options = options or LayerOptions()
        backward = options.backward or backward
        model = with_bounds(placed.model, options.bounds, f"layer {placed.name}")
        trainable = trainable if options.trainable is None else options.trainable
        self._compile = compile
        arrays = arrays or Arrays()
        timing = network.config.timing
        self.weights = nn.ParameterDict()
        for name in (*placed.weight_shapes, *placed.bias_shapes):
            weights = torch.tensor(network.weights[name], dtype=dtype)
            self.weights[name.removeprefix(f"{placed.name}.")] = nn.Parameter(weights)
        self.pathways = nn.ModuleDict(layer_pathways(placed, network.delays(placed), arrays))
        common: dict[str, Any] = {
            "dt": network.config.dt_seconds,
            "schedule": timing.schedule,
            "backward": backward,
            "dtype": dtype,
            "bias": self.weights["bias"] if placed.bias_shapes else None,
        }
        starts = trained_starts(
            placed, model, network.parameters(placed), trainable=trainable, per_neuron=per_neuron
        )
        trained = {
            name: TrainedParameter(model, name, start, dtype) for name, start in starts.items()
        }
        self.neuron = NeuronMirror(
            placed.program,
            placed.shape,
            network.parameters(placed),
            trained=trained,
            number=population_number(placed.depth),
            memory=self._memory(),
            **common,
        )
        self.readout = NeuronMirror(
            placed.readout_program,
            placed.shape,
            network.parameters(placed, readout=True),
            # A parameter that both have is one parameter.
            trained={
                name: each
                for name, each in trained.items()
                if name in placed.shared_parameters
                and f"{placed.name}.readout.{name}" not in network.weights
            },
            number=population_number(placed.depth, readout=True),
            **common,
        )
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
                return self._run_compiled(self._compiled, emitted, potential, record)
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
    ) -> LayerActivity:
        pathway, lead_in = self._pathway("weight"), self.neuron.schedule.lead_in
        assert pathway is not None
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
            recurrent=self._own_paths if "recurrent" in self.pathways else None,
        )
        spikes, counts = results.pop("_spike"), results.pop(f"{SUM}_spike")
        trace = results.pop(variable, None)
        every, last = (None, trace) if potential == "last" else (trace, None)
        return LayerActivity(self.placed.name, spikes, every, results, last, counts)

    def _own_paths(self) -> list[Path]:
        """Return the recurrent connections of each delay and sign."""
        pathway = self._pathway("recurrent")
        assert pathway is not None
        return [
            Path(name, delay, kernel)
            for delay, kernels in pathway.kernels(self.weights["recurrent"])
            for name, kernel in kernels.items()
        ]

    @contextmanager
    def uncompiled(self) -> Iterator[None]:
        """Run every step by PyTorch's operations within the block."""
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
        pathway = self._pathway("recurrent")
        return pathway and pathway.recurrence(self.weights["recurrent"])

    def arriving(self, emitted: Tensor) -> list[Arrived | None]:
        """Return the input from the layer before in each step of a period.

        Parameters
        ----------
        emitted
            The output of that layer (time, example, ...).
        """
        steps = len(emitted) + self.neuron.schedule.lead_in
        pathway = self._pathway("weight")
        assert pathway is not None
        return pathway.over(emitted, self._incoming, steps)

    @torch.no_grad()
    def arrived(self, emitted: Tensor, spikes: Tensor, key: Key | None = None) -> Arrived:
        """Return the whole input in the steps of a presentation, for known spikes.

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
        pathway = self._pathway("recurrent")
        if pathway is not None:
            before = torch.zeros_like(spikes[0])
            if lead_in:
                # A result has no spikes of the lead-in step: they follow from the initial state.
                values = self.neuron.start(len(before), key) | self.neuron.at(-lead_in, key)
                self.neuron.step(values, arriving[0], self.recurrence)
                before = values["_spike"]
            emitted = torch.cat([before[None], spikes])[: len(arriving)]
            own = pathway.over(emitted, self.weights["recurrent"], len(arriving))
            arriving = [add(one, other) for one, other in zip(arriving, own, strict=True)]
        names = next(each for each in arriving if each)
        zero = dict.fromkeys(names, torch.zeros_like(spikes[0]))
        inside = [each or zero for each in arriving[lead_in:]]
        return {name: torch.stack([each[name] for each in inside]) for name in names}

    def _pathway(self, name: str) -> Pathway | None:
        if name not in self.pathways:
            return None
        pathway = self.pathways[name]
        assert isinstance(pathway, Pathway)
        return pathway

    @property
    def _incoming(self) -> Tensor:
        """The weights from the layer before."""
        return self.weights["weight"] if self._fixed is None else self._fixed

    def _memory(self) -> int:
        pathway = self._pathway("recurrent")
        return max(pathway.delays, default=0) if pathway else 0
