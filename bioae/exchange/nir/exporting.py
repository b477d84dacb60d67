"""NIR graphs of networks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bioae.equations.quantities import time_in_seconds
from bioae.errors import NetworkError
from bioae.exchange.nir.exported_neurons import ExportedNeurons, exported_neurons
from bioae.exchange.nir.kernels import MOST_UNROLLED, ungrouped
from bioae.exchange.nir.library import Graph, library
from bioae.networks.artefact import NetworkLike, network_of
from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense, Pool2d
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer

if TYPE_CHECKING:
    from brian2 import Quantity

Array = NDArray[Any]
Shape = tuple[int, ...]


def to_nir(
    network: NetworkLike,
    *,
    dt: str | Quantity | None = None,
    fold_r: bool = False,
) -> Graph:
    """Convert a network to a NIR graph, whose forward Euler steps are the network's steps.

    The encoder, the decoder and the read-out are not part of it: the graph receives the encoder's
    output, and returns the spikes of the last layer.

    Parameters
    ----------
    network
        The network, an artefact, its path, or the name of one that comes with bioae.
    dt
        The time step that the reader assumes, if it is not the network's: ``"0.1*ms"`` for
        snnTorch. The steps stay the same, so time constants scale with it.
    fold_r
        Whether to multiply weights by the resistances ``r``, which norse ignores, and write 1. For
        ``IF`` and ``I`` the factor is ``r*dt``, and ``1/dt`` is written: norse does not scale their
        input.

    Returns
    -------
    nir.NIRGraph

    Raises
    ------
    InputError
        If the library ``nir`` is missing.
    NetworkError
        If NIR has no node for the neurons of a layer, or a layer would need too many weights.
    """
    library()
    network = network_of(network)
    if network.config.populations or network.config.clock == "common":
        raise NetworkError(
            "graphs of populations, and common clocks, are not exported to NIR", where="network",
            expected='layers, and clock = "staggered"',
        )  # fmt: skip
    step = network.config.dt_seconds
    reader = step if dt is None else time_in_seconds(dt, where="dt")
    graph = _Graph(network, reader / step, fold_r=fold_r)
    for placed in network.config.placed:
        graph.add(placed)
    return graph.finish()


class _Graph:
    """A graph that grows layer by layer."""

    def __init__(self, network: Network, scale: float, *, fold_r: bool) -> None:
        self._network, self._scale, self._fold_r = network, scale, fold_r
        self._nir = library()
        self._nodes: dict[str, Graph] = {}
        self._edges: list[tuple[str, str]] = []
        first = network.config.placed[0]
        flat = isinstance(first.layer, Dense) or _kernel(network, first) is None
        shape = (math.prod(first.input_shape),) if flat else first.input_shape
        self._shape: Shape = shape
        self._last = self._node("input", self._nir.Input({"input": np.array(shape)}), after=None)

    def add(self, placed: PlacedLayer) -> None:
        """Add the nodes of a layer."""
        neurons = exported_neurons(self._network, placed)
        fields = {name: values.copy() for name, values in neurons.fields.items()}
        resistance = np.ones(placed.size)
        if self._fold_r:
            integrates = neurons.kind in ("IF", "I")
            # A step adds dt*r*input to these, whose r is a rate.
            unit = 1 / self._network.config.dt_seconds if integrates else 1.0
            resistance, fields["r"] = fields["r"] / unit, np.full(placed.size, unit)
        self._delay(placed)
        self._connect(placed, resistance)
        name = self._neurons(placed, neurons, fields)
        if f"{placed.name}.recurrent" in placed.delays:
            weight = self._network.weights[f"{placed.name}.recurrent"] * resistance[:, None]
            way = self._node(f"{placed.name}_recurrent", self._nir.Linear(_f(weight)), after=name)
            self._edges.append((way, name))

    def finish(self) -> Graph:
        """Return the graph."""
        output = self._nir.Output({"output": np.array(self._shape)})
        self._node("output", output, after=self._last)
        return self._nir.NIRGraph(self._nodes, self._edges, type_check=False)

    def _node(self, name: str, node: Graph, *, after: str | None) -> str:
        unique, number = name, 2
        while unique in self._nodes:
            unique, number = f"{name}_{number}", number + 1
        self._nodes[unique] = node
        if after is not None:
            self._edges.append((after, unique))
        return unique

    def _append(self, name: str, node: Graph, shape: Shape) -> str:
        self._last, self._shape = self._node(name, node, after=self._last), shape
        return self._last

    def _delay(self, placed: PlacedLayer) -> None:
        """Add the delay from the layer before."""
        for name, steps in self._network.delays(placed).items():
            if not steps.any():
                continue
            if steps.ndim or name.endswith(".recurrent"):
                what = "delays of single connections" if steps.ndim else "delays within a layer"
                raise NetworkError(
                    f"NIR has no node for {what}", where=f"layer {placed.name!r}",
                    expected="one delay from the layer before",
                )  # fmt: skip
            seconds = int(steps) * self._network.config.dt_seconds * self._scale
            node = self._nir.Delay(np.full(self._shape, seconds))
            self._append(f"{placed.name}_delay", node, self._shape)

    def _connect(self, placed: PlacedLayer, resistance: Array) -> None:
        """Add the weights from the layer before."""
        bias = self._network.biases(placed)  # (neuron)
        kernel = _kernel(self._network, placed) if self._shape == placed.input_shape else None
        if kernel is not None and len(self._shape) == 3:
            per_channel = resistance.reshape(placed.shape[0], -1)
            if (per_channel == per_channel[:, :1]).all():
                factor = per_channel[:, 0]
                self._convolve(placed, kernel, bias, factor)
                return
        if len(self._shape) > 1:
            flatten = self._nir.Flatten({"input": np.array(self._shape)}, 0, -1)
            self._append(f"{placed.name}_flatten", flatten, (math.prod(self._shape),))
        weight = _matrix(self._network, placed) * resistance[:, None]
        node = (
            self._nir.Linear(_f(weight)) if bias is None
            else self._nir.Affine(_f(weight), _f(bias * resistance))
        )  # fmt: skip
        self._append(f"{placed.name}_weight", node, (placed.size,))

    def _convolve(
        self, placed: PlacedLayer, kernel: tuple[Array, dict[str, int]], bias: Array | None,
        factor: Array,
    ) -> None:  # fmt: skip
        weight, keys = kernel
        channels = placed.shape[0]
        each = np.zeros(channels) if bias is None else bias.reshape(channels, -1)[:, 0]
        node = self._nir.Conv2d(
            input_shape=self._shape[1:],
            weight=_f(weight * factor[:, None, None, None]),
            bias=_f(each * factor),
            groups=1,  # readers mistake the channels of groups
            **keys,
        )
        self._append(f"{placed.name}_weight", node, placed.shape)

    def _neurons(
        self, placed: PlacedLayer, neurons: ExportedNeurons, fields: dict[str, Array]
    ) -> str:
        for name, values in fields.items():
            if name.startswith("tau"):
                fields[name] = values * self._scale
            elif name == "r" and neurons.kind in ("IF", "I"):
                fields[name] = values / self._scale
        shaped = {name: _f(values.reshape(self._shape)) for name, values in fields.items()}
        return self._append(placed.name, getattr(self._nir, neurons.kind)(**shaped), self._shape)


def _kernel(network: Network, placed: PlacedLayer) -> tuple[Array, dict[str, int]] | None:
    """Return a layer as a convolution without groups: its weights and keys, or None."""
    layer, weight = placed.layer, network.connection_weights(placed)[f"{placed.name}.weight"]
    if isinstance(layer, Pool2d):
        layer = layer.convolution(placed.input_shape)
    if isinstance(layer, Conv2d):
        keys = {key: getattr(layer, key) for key in ("stride", "padding", "dilation")}
        return ungrouped(_f(weight), layer.groups), keys
    if not isinstance(layer, ConvTranspose2d):
        return None
    padding = layer.dilation * (layer.kernel - 1) - layer.padding
    if layer.stride != 1 or layer.output_padding or padding < 0:
        return None
    # (in, out / groups) within each group, and the taps in reverse.
    grouped = _f(weight).reshape(layer.groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    flipped = grouped.reshape(layer.channels, -1, *weight.shape[2:])[..., ::-1, ::-1]
    keys = {"stride": 1, "padding": padding, "dilation": layer.dilation}
    return ungrouped(flipped, layer.groups), keys


def _matrix(network: Network, placed: PlacedLayer) -> Array:
    """Return the weights of a layer as a matrix (target, source)."""
    weight = network.connection_weights(placed)[f"{placed.name}.weight"]
    if isinstance(placed.layer, Dense):
        return _f(weight)
    shape = placed.size, math.prod(placed.input_shape)
    if math.prod(shape) > MOST_UNROLLED:
        raise NetworkError(
            "NIR has no node for these connections, but one weight for every pair of neurons",
            where=f"layer {placed.name!r}",
            expected=f"at most {MOST_UNROLLED:,} weights",
            found=f"{shape[0]:,} x {shape[1]:,}",
        )
    connections = placed.projections[0].connections(network.weights)
    entries = _f(weight).ravel()[connections.weight], (connections.target, connections.source)
    return np.asarray(sparse.coo_array(entries, shape=shape).toarray())


def _f(values: Any) -> NDArray[np.float64]:
    return np.array(values, np.float64)
