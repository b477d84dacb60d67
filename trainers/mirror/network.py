"""A network in PyTorch: layer by layer, each over all steps of a presentation."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bioae.checks import instance, one_of
from bioae.errors import NetworkError
from bioae.networks.graph import components
from bioae.networks.layer_base import ENCODER
from bioae.networks.network import Network
from bioae.networks.plasticity import check_weights_alone
from bioae.noise import Key
from bioae.trainers.mirror.activity import (
    DISTANCE,
    SENT,
    Activity,
    LayerActivity,
    Potential,
    Start,
)
from bioae.trainers.mirror.compiled.arrays import Arrays
from bioae.trainers.mirror.compiled.component import Together
from bioae.trainers.mirror.compiled.unsupported import Unsupported
from bioae.trainers.mirror.component import run_together
from bioae.trainers.mirror.connections.pathways import held
from bioae.trainers.mirror.connections.trained_delays import TrainedDelays
from bioae.trainers.mirror.derivatives import Exact
from bioae.trainers.mirror.layer import Compile, Emitted, LayerMirror
from bioae.trainers.mirror.layer_parameters import LayerOptions
from bioae.trainers.mirror.spike_times import latency, warn_of_jumps
from bioae.trainers.mirror.trained import TrainedParameter


class NetworkMirror(nn.Module):
    """A network in PyTorch, derived from its neuron models' equations.

    Parameters
    ----------
    network
        The network; its weights are copied.
    options
        The trained parameters of each layer, and its gradients: those of `Membrane` by default.
    layers
        The options of single layers by name, in place of these.
    potentials
        The potentials U to compute: of every layer in all steps, or after the last step only, or
        just of the last layer if it is decoded.
    distances
        The layers, with a threshold, of which `DISTANCE` is recorded.
    dtype
        The type of numbers: float64 to match Brian2 spike for spike, float32 for speed.
    compile
        Whether the steps of a layer are compiled to one function forward and one backward, on the
        CPU; ``"auto"``: if possible. With True, a layer that cannot be compiled fails when it runs.

    Raises
    ------
    NetworkError
        If there is no layer of a name, or all neurons of a layer must share a parameter of which
        each is to train its own.
    """

    _anchor: Tensor

    def __init__(
        self,
        network: Network,
        options: LayerOptions | None = None,
        *,
        layers: Mapping[str, LayerOptions] | None = None,
        potentials: Literal["all", "last", "decoded"] = "decoded",
        distances: Collection[str] = (),
        dtype: torch.dtype = torch.float32,
        compile: Compile = False,  # noqa: A002 - as PyTorch has it
    ) -> None:
        super().__init__()
        instance(network, "network", Network, error=NetworkError)
        options, layers = options or LayerOptions(), layers or {}
        instance(layers, "layers", Mapping, error=NetworkError)
        for name in layers:
            one_of(
                name, "layers", [each.name for each in network.config.placed], error=NetworkError
            )
        check_weights_alone(network.config.placed, "torch")
        self.network = network
        self.config = network.config
        self.potentials = potentials
        self.backward = options.backward
        # Holds the module's device and dtype, also without trained weights.
        self.register_buffer("_anchor", torch.zeros((), dtype=dtype), persistent=False)
        arrays = Arrays()
        edges = [(p.source, each.name) for each in self.config.placed for p in each.projections]
        #: The layers that run together, each component after those that it depends on.
        self.components = components([each.name for each in self.config.placed], edges)
        inside = {name: each for each in self.components for name in each}
        own = {each.name: layers.get(each.name, options) for each in self.config.placed}
        gated = [name for name, each in own.items() if each.backward.gated]
        # A list, as layers may have any name, also that of a method of `nn.ModuleDict`.
        self._layers = nn.ModuleList(
            LayerMirror(
                network,
                placed,
                own[placed.name],
                dtype=dtype,
                compile=compile,
                arrays=arrays,
                inside=inside[placed.name],
                gated=gated,
            )
            for placed in self.config.placed
        )
        bounds = {n: d for each in (options, *layers.values()) for n, d in each.delays.items()}
        for end in (0, 1) if bounds else ():  # a network with these delays must exist
            _ = network.config.with_delays({n: ends[end] for n, ends in bounds.items()}).placed
        neurons = [layer.neuron for layer in self.layers.values()]
        for name in distances:
            self.layers[name].neuron.measured = True
        warn_of_jumps(n.program for n in neurons if isinstance(n.backward.derivative, Exact))

    @property
    def layers(self) -> dict[str, LayerMirror]:
        """The mirrors of the layers by name, in order."""
        layers = {}
        for placed, layer in zip(self.config.placed, self._layers, strict=True):
            assert isinstance(layer, LayerMirror)
            layers[placed.name] = layer
        return layers

    def forward(
        self,
        drive: Tensor,
        *,
        record: Collection[str] = (),
        key: Key | None = None,
        start: Mapping[str, Tensor] = MappingProxyType({}),
    ) -> Activity:
        """Run a presentation; of a network that carries over, one for each example in order.

        Parameters
        ----------
        drive
            The output of the encoder (time, example, channel, y, x), see
            `bioae.networks.encoders`; of any dtype, on any device.
        record
            States to record at the end of each step, in the layers whose models have them.
        key
            The key of the neurons' noise: the seed and the examples' numbers. It may be None if no
            model is noisy.
        start
            The `Activity.final` of the presentation before, in a network that carries over.

        Raises
        ------
        InputError
            If a model is noisy and there is no key.
        """
        if self.config.carry_over and drive.shape[1] > 1:  # one after another
            parts: list[Activity] = []
            for n in range(drive.shape[1]):
                own, begin = key and key.of(n), parts[-1].final if parts else start
                one = drive[:, n : n + 1]
                parts.append(self.forward(one, record=record, key=own, start=begin))
            return Activity.joined(parts)
        decoder, layers = self.config.decoder, self.layers
        *_, last = layers
        found: dict[str, LayerActivity] = {}
        begun = self._start(start, drive) if self.config.carry_over else None
        emitted = {ENCODER: self.received(drive)}
        if begun is not None:
            quiet = drive.new_zeros(self.config.timing.rest, *drive.shape[1:])
            emitted = {ENCODER: begun.after(ENCODER, torch.cat([drive, quiet]).to(self._anchor))}
        for component in self.components:
            potentials = {name: self._potential(last=name == last) for name in component}
            found |= self.run(component, emitted, potentials, record=record, key=key, start=begun)
            for name in component:
                sent = found[name].spikes
                emitted[name] = sent if begun is None else begun.after(name, sent)
        activities, carried = {name: found[name] for name in layers}, dict[str, Tensor]()
        if begun is not None:
            carried = begun.sent(emitted)
            for name, each in found.items():
                carried |= each.final
                activities[name] = each.of_window(self.config.steps)
        final = activities[last]
        activity = final.potential if decoder.reads_potential else final.spikes
        scale = self.config.default_scale
        decoded = decoder.decode(activity, default_scale=scale)
        if decoder.reads == "latency" and isinstance(
            layers[last].neuron.backward.derivative, Exact
        ):
            assert activity is not None
            moves = decoder.finish(latency(activity), steps=len(activity), default_scale=scale)
            decoded = decoded.detach() + moves
        return Activity(activities, decoded.reshape(-1, *self.config.output_shape), carried)

    def _start(self, values: Mapping[str, Tensor], drive: Tensor) -> Start:
        """Return the state from which a presentation starts; before the first, nothing was sent."""
        paths = [path for layer in self.layers.values() for _, path in layer.pathways]
        before = max((path.lag + delay for path in paths for delay in path.delays), default=0)
        shapes = {ENCODER: drive.shape[2:]} | {n: e.placed.shape for n, e in self.layers.items()}
        silent = {
            f"{name}/{SENT}": self._anchor.new_zeros(before, drive.shape[1], *shape)
            for name, shape in shapes.items()
        }
        return Start(before, {**silent, **values})

    def run(
        self,
        component: Collection[str],
        emitted: Emitted,
        potentials: Mapping[str, Potential | None] = MappingProxyType({}),
        *,
        record: Collection[str] = (),
        key: Key | None = None,
        start: Start | None = None,
    ) -> dict[str, LayerActivity]:
        """Run the layers of a component, which receive what others `emitted`; see `forward`."""
        layers = self.layers
        states = {
            name: [
                *(each for each in record if each in layers[name].neuron.program.states),
                *([DISTANCE] if layers[name].neuron.measured else []),
            ]
            for name in component
        }
        names = list(component)
        joined = len(names) > 1 or not layers[names[0]].alone
        if joined and all(layers[name].compiles for name in names):
            try:
                if start is not None:
                    raise Unsupported("state that carries over")
                return self._run_compiled(names, emitted, potentials, states, key)
            except Unsupported as reason:
                layers[names[0]].leave_uncompiled(str(reason))
        if len(component) > 1:
            members = {
                n: layers[n].member(
                    emitted, states[n], key, keep=potentials.get(n) is not None, start=start
                )
                for n in component
            }
            ran = run_together(members)
            return {n: layers[n].activity(ran[n], potentials.get(n), key, start) for n in component}
        return {
            n: layers[n](
                emitted, potential=potentials.get(n), record=states[n], key=key, start=start
            )
            for n in component
        }

    def _run_compiled(
        self,
        names: Sequence[str],
        emitted: Emitted,
        potentials: Mapping[str, Potential | None],
        record: Mapping[str, Collection[str]],
        key: Key | None,
    ) -> dict[str, LayerActivity]:
        """Run a component in compiled steps; raise `Unsupported` if it cannot be compiled."""
        layers = [self.layers[name] for name in names]
        parts = [
            layer.part(emitted, potentials.get(name), record[name], key)
            for name, layer in zip(names, layers, strict=True)
        ]
        sources = [*dict.fromkeys(name for layer in layers for name in layer.sources)]
        sent = [each for layer in layers for each in layer.sent([*names, *sources])]
        before = [emitted[name].flatten(2) for name in sources]
        steps, backward = max(part.steps for part in parts), layers[0].neuron.backward
        examples = next(iter(emitted.values())).shape[1]
        segment = backward.recompute or math.isqrt(steps)
        ran = Together(parts, before, sent, examples, backward.truncate or 0, segment).run()
        return {
            name: layer.collected(results, potentials.get(name))
            for name, layer, results in zip(names, layers, ran, strict=True)
        }

    def _potential(self, *, last: bool) -> Potential | None:
        """Return the steps in which a layer's potential U is computed."""
        if last and self.config.decoder.reads_potential:
            return "all"
        return None if self.potentials == "decoded" else self.potentials

    def received(self, drive: Tensor) -> Tensor:
        """Return the output of the encoder as the first layer receives it."""
        emitted = drive.to(self._anchor)
        return (
            held(emitted) if self.config.encoder.constant and not self.config.in_time else emitted
        )

    @property
    def weights(self) -> dict[str, nn.Parameter]:
        """The trained tensors, by name: weights, delays, ``LAYER.bias`` and ``LAYER.PARAMETER``.

        Delays are in steps, neuron parameters dimensionless, see `trained`.
        """
        parameters: dict[str, nn.Parameter] = {}
        for name, layer in self.layers.items():
            parameters |= {f"{name}.{key}": weights for key, weights in layer.weights.items()}
            parameters |= {f"{name}.{key}_delay": d.steps for key, d in layer.delays.items()}
            parameters |= {f"{name}.{key}": each.raw for key, each in layer.neuron.trained.items()}
        return parameters

    @property
    def delays(self) -> dict[str, TrainedDelays]:
        """The trained delays, by the name of their array (``LAYER.weight_delay``)."""
        layers = self.layers.items()
        return {
            f"{n}.{key}_delay": each for n, layer in layers for key, each in layer.delays.items()
        }

    @property
    def trained(self) -> dict[str, TrainedParameter]:
        """The trained neuron parameters by ``LAYER.PARAMETER``: their values and scales."""
        return {
            f"{name}.{key}": each
            for name, layer in self.layers.items()
            for key, each in layer.neuron.trained.items()
        }

    @property
    def synaptic(self) -> tuple[str, ...]:
        """The names of `weights` that are connections, not biases or neuron parameters."""
        return tuple(name for placed in self.config.placed for name in placed.weight_shapes)

    @property
    def gridded(self) -> tuple[str, ...]:
        """The names of `weights` that an artefact stores on the grid: connections and biases."""
        biases = (name for placed in self.config.placed for name in placed.bias_shapes)
        return (*self.synaptic, *biases)

    def clamp_(self) -> None:
        """Project neuron parameters and delays into bounds, and weights to their sign.

        Parameters that are not trained now keep their values.
        """
        for delays in self.delays.values():
            delays.clamp_()
        for layer in self.layers.values():
            layer.neuron.clamp_()
            for projection in layer.placed.projections:
                if projection.sign is not None:
                    positive = projection.sign == "positive"
                    bounds: dict[str, float] = {"min": 0.0} if positive else {"max": 0.0}
                    layer.weights_of(projection).data.clamp_(**bounds)

    def to_network(self) -> Network:
        """Return the network with its current weights, in float64, and delays in whole steps."""
        arrays: dict[str, NDArray[np.float64]] = {}
        for layer in self.layers.values():
            arrays |= layer.arrays()
        common: dict[str, str] = {}
        for name, delays in self.delays.items():
            seconds = np.asarray(delays.rounded() * self.config.dt_seconds)
            if seconds.ndim:
                arrays[name] = seconds
            else:
                common[name.removesuffix("_delay")] = f"{1e3 * seconds:.9g}*ms"
        config = self.config.with_delays(common) if common else self.config
        return Network(config, {**self.network.weights, **arrays})
