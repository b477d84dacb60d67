"""NIR graphs of networks."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bioae.equations.quantities import time_in_seconds
from bioae.errors import NetworkError
from bioae.exchange.nir.exported_neurons import exported_neurons
from bioae.exchange.nir.graphs import ways_back
from bioae.exchange.nir.kernels import MOST_UNROLLED, ungrouped
from bioae.exchange.nir.library import Graph, library
from bioae.networks.artefact import NetworkLike, network_of
from bioae.networks.layer_base import ENCODER
from bioae.networks.layers import Conv2d, ConvTranspose2d, Dense, Pool2d
from bioae.networks.network import Network
from bioae.networks.placed_layer import PlacedLayer
from bioae.networks.plasticity import check_weights_alone
from bioae.networks.projections import PlacedProjection

if TYPE_CHECKING:
    from brian2 import Quantity

Array = NDArray[Any]
Shape = tuple[int, ...]


def to_nir(
    network: NetworkLike,
    *,
    dt: str | Quantity | None = None,
    fold_r: bool = False,
    ignore_reset: bool = False,
) -> Graph:
    """Convert a network to a NIR graph, whose forward Euler steps are the network's steps.

    Each projection is a way from one population to another. Those that close a cycle take a step,
    and all others none; what spikes take beyond that is a ``Delay``.

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
    ignore_reset
        Whether to write imported neurons that are reset by subtraction as NIR's, whose reset is to
        a constant. snnTorch writes them so: the reader must set the reset again.

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
    check_weights_alone(network.config.placed, "NIR")
    step = network.config.dt_seconds
    reader = step if dt is None else time_in_seconds(dt, where="dt")
    graph = _Graph(network, reader / step, fold_r=fold_r, ignore_reset=ignore_reset)
    for placed in network.config.placed:
        graph.add(placed)
    return graph.finish()


class _Graph:
    """A graph that grows population by population."""

    def __init__(self, network: Network, scale: float, *, fold_r: bool, ignore_reset: bool) -> None:
        self._network, self._scale, self._fold_r = network, scale, fold_r
        self._nir = library()
        placed = network.config.placed
        for projection in itertools.chain(*(each.projections for each in placed)):
            if projection.target is not None:
                raise NetworkError(
                    "NIR has one input of each neuron", where=f"projection {projection.name!r}",
                    expected="no `target`", found=projection.target,
                )  # fmt: skip
        self._neurons = {
            each.name: exported_neurons(network, each, ignore_reset=ignore_reset) for each in placed
        }
        edges = [(_node_of(p), each.name) for each in placed for p in each.projections]
        self._back = ways_back(edges)
        self._kernels = {
            p.name: _kernel(network, each, p) for each in placed for p in each.projections
        }
        self._shapes = self._as_images()
        shape = self._shapes[ENCODER]
        self._nodes: dict[str, Graph] = {}
        self._taken = {each.name for each in placed}
        self._edges: list[tuple[str, str]] = []
        self._ends = {each.name: each.name for each in placed}
        self._ends[ENCODER] = self._node("input", self._nir.Input({"input": np.array(shape)}))

    def add(self, placed: PlacedLayer) -> None:
        """Add the nodes of a population and of its projections."""
        fields = {n: values.copy() for n, values in self._neurons[placed.name].fields.items()}
        kind = self._neurons[placed.name].kind
        if not any((_node_of(each), placed.name) not in self._back for each in placed.projections):
            raise NetworkError(
                "NIR has no neurons without input", where=f"layer {placed.name!r}",
                expected="a projection from the input, or from another population",
            )  # fmt: skip
        if self._fold_r:
            fields["r"] = np.full(placed.size, self._unit(kind))
        bias = self._network.biases(placed)
        ends = []
        for number, projection in enumerate(placed.projections):
            ends.append(self._connect(placed, projection, None if number else bias))
        for name, values in fields.items():
            if name.startswith("tau"):
                fields[name] = values * self._scale
            elif name == "r" and kind in ("IF", "I"):
                fields[name] = values / self._scale
        shape = self._shapes[placed.name]
        shaped = {name: _f(values.reshape(shape)) for name, values in fields.items()}
        self._nodes[placed.name] = getattr(self._nir, kind)(**shaped)
        self._edges += [(end, placed.name) for end in ends]

    def finish(self) -> Graph:
        """Return the graph."""
        last = self._network.config.placed[-1].name
        output = self._nir.Output({"output": np.array(self._shapes[last])})
        self._edges.append((last, self._node("output", output)))
        return self._nir.NIRGraph(self._nodes, self._edges, type_check=False)

    def _unit(self, kind: str) -> float:
        # A step adds dt*r*input to these, whose r is a rate.
        return 1 / self._network.config.dt_seconds if kind in ("IF", "I") else 1.0

    def _resistance(self, placed: PlacedLayer) -> Array:
        """Return the factors of the weights that lead to a population (neuron)."""
        neurons = self._neurons[placed.name]
        if not self._fold_r:
            return np.ones(placed.size)
        return np.asarray(neurons.fields["r"] / self._unit(neurons.kind))

    def _as_images(self) -> dict[str, Shape]:
        """Return the shape of each population: an image if kernels lead there, and nothing else."""
        config = self._network.config
        shapes = {each.name: each.shape for each in config.placed}
        shapes[ENCODER] = config.encoded_shape
        kernels = {
            each.name: [(p.source, self._kernels[p.name] is not None) for p in each.projections]
            for each in config.placed
        }
        if (ENCODER, True) not in itertools.chain(*kernels.values()):
            shapes[ENCODER] = (math.prod(shapes[ENCODER]),)
        flat = {
            each.name
            for each in config.placed
            if not _per_channel(each, self._resistance(each), self._network.biases(each))
        }
        while True:
            more = {
                name
                for name, feeds in kernels.items()
                if not all(slides and len(shapes[source]) == 3 for source, slides in feeds)
            }
            if flat | more <= {name for name, shape in shapes.items() if len(shape) == 1}:
                return shapes
            flat |= more
            shapes |= {name: (math.prod(shapes[name]),) for name in flat}

    def _node(self, name: str, node: Graph, *, after: str | None = None) -> str:
        unique, number = name, 2
        while unique in self._taken:
            unique, number = f"{name}_{number}", number + 1
        self._taken.add(unique)
        self._nodes[unique] = node
        if after is not None:
            self._edges.append((after, unique))
        return unique

    def _connect(
        self, placed: PlacedLayer, projection: PlacedProjection, bias: Array | None
    ) -> str:
        """Add the nodes of a projection; return the last one."""
        resistance, name = self._resistance(placed), projection.name.replace(".", "_")
        end, shape = self._delay(placed, projection, name)
        kernel = self._kernels[projection.name]
        if kernel is not None and len(self._shapes[placed.name]) == 3:
            return self._node(name, self._convolution(placed, kernel, bias, shape), after=end)
        if len(shape) > 1:
            flatten = self._nir.Flatten({"input": np.array(shape)}, 0, -1)
            end = self._node(f"{name}_flatten", flatten, after=end)
        weight = _f(_matrix(self._network, placed, projection) * resistance[:, None])
        node = (
            self._nir.Linear(weight) if bias is None
            else self._nir.Affine(weight, _f(bias * resistance))
        )  # fmt: skip
        return self._node(name, node, after=end)

    def _delay(
        self, placed: PlacedLayer, projection: PlacedProjection, name: str
    ) -> tuple[str, Shape]:
        """Add the delay of a projection, if it has one; return the last node and its shape."""
        end, shape = self._ends[projection.source], self._shapes[projection.source]
        steps = self._network.delays(placed)[projection.name]
        late = steps + projection.lag - ((_node_of(projection), placed.name) in self._back)
        if steps.ndim or late < 0:
            what = "delays of single connections" if steps.ndim else "cycles that take no step"
            raise NetworkError(
                f"NIR has no node for {what}", where=f"layer {placed.name!r}",
                expected="one delay of all connections",
            )  # fmt: skip
        if not late:
            return end, shape
        seconds = int(late) * self._network.config.dt_seconds * self._scale
        node = self._nir.Delay(np.full(shape, seconds))
        return self._node(f"{name}_delay", node, after=end), shape

    def _convolution(
        self, placed: PlacedLayer, kernel: tuple[Array, dict[str, int]], bias: Array | None,
        shape: Shape,
    ) -> Graph:  # fmt: skip
        weight, keys = kernel
        channels = placed.shape[0]
        each = np.zeros(channels) if bias is None else bias.reshape(channels, -1)[:, 0]
        factor = self._resistance(placed).reshape(channels, -1)[:, 0]
        return self._nir.Conv2d(
            input_shape=shape[1:],
            weight=_f(weight * factor[:, None, None, None]),
            bias=_f(each * factor),
            groups=1,  # readers mistake the channels of groups
            **keys,
        )


def _node_of(projection: PlacedProjection) -> str | None:
    return None if projection.source == ENCODER else projection.source


def _per_channel(placed: PlacedLayer, *values: Array | None) -> bool:
    """Return whether values of each neuron are the same in a channel."""
    each = [array.reshape(placed.shape[0], -1) for array in values if array is not None]
    return all(bool((array == array[:, :1]).all()) for array in each)


def _kernel(
    network: Network, placed: PlacedLayer, projection: PlacedProjection
) -> tuple[Array, dict[str, int]] | None:
    """Return a projection as a convolution without groups: its weights and keys, or None."""
    layer, weight = projection.layer, network.connection_weights(placed)[projection.name]
    if isinstance(layer, Pool2d):
        layer = layer.convolution(projection.source_shape)
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


def _matrix(network: Network, placed: PlacedLayer, projection: PlacedProjection) -> Array:
    """Return the weights of a projection as a matrix (target, source)."""
    weight = network.connection_weights(placed)[projection.name]
    if isinstance(projection.layer, Dense):
        return _f(weight)
    shape = placed.size, math.prod(projection.source_shape)
    if math.prod(shape) > MOST_UNROLLED:
        raise NetworkError(
            "NIR has no node for these connections, but one weight for every pair of neurons",
            where=f"layer {placed.name!r}",
            expected=f"at most {MOST_UNROLLED:,} weights",
            found=f"{shape[0]:,} x {shape[1]:,}",
        )
    connections = projection.connections(network.weights)
    entries = _f(weight).ravel()[connections.weight], (connections.target, connections.source)
    return np.asarray(sparse.coo_array(entries, shape=shape).toarray())


def _f(values: Any) -> NDArray[np.float64]:
    return np.array(values, np.float64)
