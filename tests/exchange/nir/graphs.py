"""Random NIR graphs and networks to export, and the comparison with the interpreter."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, NamedTuple

import nir
import numpy as np
from builders import conv, deconv, dense, drawn
from exchange.nir.euler import NEURONS, Edges, run
from numpy.typing import NDArray

from bioae import simulate
from bioae.exchange.nir import Translation, from_nir
from bioae.networks import Network, NetworkConfig

DT = 1e-3
Array = NDArray[np.float64]
Shape = tuple[int, ...]


class Drawn:
    """Nodes with random parameters."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def parameter(self, shape: Shape, low: float, high: float) -> Array:
        """Return numbers of each neuron, or one for all of them, an array of the shape `()`."""
        one = self.rng.random() < 0.3
        return np.asarray(self.rng.uniform(low, high, () if one else shape))

    def neurons(self, kind: str, shape: Shape) -> Any:
        """Return neurons that fire, with all parameters away from their defaults."""
        between = partial(self.parameter, shape)
        threshold = {"v_threshold": between(0.2, 0.5), "v_reset": between(-0.3, 0.1)}
        leak = {"v_leak": between(-0.1, 0.1)}
        match kind:
            case "LIF" | "LI":
                fields = {"tau": between(3e-3, 2e-2), "r": between(1.0, 3.0), **leak}
            case "CubaLIF" | "CubaLI":
                fields = {
                    "tau_mem": between(3e-3, 2e-2), "tau_syn": between(2e-3, 1e-2),
                    "r": between(1.0, 3.0), "w_in": between(0.5, 4.0), **leak,
                }  # fmt: skip
            case _:
                fields = {"r": between(50.0, 200.0)}
        if kind in ("LIF", "CubaLIF", "IF"):
            fields |= threshold
        # The library wants equal shapes of a new node, and reads any from a file.
        node = getattr(nir, kind)(**{name: np.zeros(shape) for name in fields})
        vars(node).update(fields)
        return node

    def weights(self, out: int, *inside: int) -> Array:
        return self.rng.normal(size=(out, *inside)) * 2 / np.sqrt(np.prod(inside))

    def affine(self, targets: int, sources: int) -> Any:
        """Return weights, with a bias or without."""
        weight = self.weights(targets, sources)
        if self.rng.random() < 0.5:
            return nir.Linear(weight)
        return nir.Affine(weight, self.rng.normal(size=targets) * 0.3)

    def operation(self, shape: Shape, *, delays: bool = True) -> tuple[Any, Shape]:
        """Return a random operation that fits an input, and the shape of its output."""
        if len(shape) == 1:
            kinds, weights = ["linear", "scale", "delay"], [0.6, 0.2, 0.2 * delays]
        else:
            kinds = ["conv", "pool" if len(shape) == 3 else "conv", "scale", "flatten"]
            weights = [0.45, 0.25, 0.15, 0.15]
        match str(self.rng.choice(kinds, p=np.divide(weights, sum(weights)))):
            case "conv":
                return self.convolution(shape)
            case "pool":
                return self.pool(shape)
            case "flatten":
                return nir.Flatten(None, 0, -1), (int(np.prod(shape)),)
            case "scale":
                channels = (shape[0], *[1] * (len(shape) - 1))
                each = channels if self.rng.random() < 0.5 else shape
                return nir.Scale(self.rng.uniform(0.5, 2.0, each)), shape
            case "delay":
                return nir.Delay(self.rng.integers(0, 4, shape) * DT), shape
        size = int(self.rng.integers(2, 9))
        return self.affine(size, shape[0]), (size,)

    def pool(self, shape: Shape) -> tuple[Any, Shape]:
        """Return a random sum or average over windows, and the shape of its output."""
        size = int(self.rng.integers(1, min(3, *shape[1:]) + 1))
        stride = int(self.rng.integers(1, size + 1))
        padding = int(self.rng.integers(0, size // 2 + 1))
        node = nir.SumPool2d if self.rng.random() < 0.5 else nir.AvgPool2d
        sizes = [(n + 2 * padding - size) // stride + 1 for n in shape[1:]]
        return node(*(np.array([n, n]) for n in (size, stride, padding))), (shape[0], *sizes)

    def convolution(self, shape: Shape) -> tuple[Any, Shape]:
        """Return a random convolution of lines or images, and the shape of its output."""
        rng, axes = self.rng, len(shape) - 1
        groups = int(rng.choice([n for n in range(1, shape[0] + 1) if shape[0] % n == 0]))
        out = groups * int(rng.integers(1, 3))
        kernel = [int(rng.integers(1, min(4, n + 1))) for n in shape[1:]]
        stride, dilation = ([int(n) for n in rng.integers(1, 3, axes)] for _ in range(2))
        padding: Any = [int(n) for n in rng.integers(0, 2, axes)]
        if rng.random() < 0.5:
            kernel, stride, padding, dilation = (
                [min(each)] * axes for each in (kernel, stride, padding, dilation)
            )
        if rng.random() < 0.3:
            padding, stride = ("same" if rng.random() < 0.5 else "valid"), [1] * axes
        # A kernel that its taps' distance would make larger than the input has none.
        dilation = [
            d if d * (k - 1) < n else 1 for n, k, d in zip(shape[1:], kernel, dilation, strict=True)
        ]
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        around = {"same": reach, "valid": [0] * axes}
        total = around[padding] if isinstance(padding, str) else [2 * n for n in padding]
        sizes = [
            (n + t - r - 1) // s + 1
            for n, t, r, s in zip(shape[1:], total, reach, stride, strict=True)
        ]
        weight = self.weights(out, shape[0] // groups, *kernel)
        bias = rng.normal(size=out) * 0.2 * (rng.random() < 0.5)
        node = nir.Conv1d if axes == 1 else nir.Conv2d
        keys = [
            each[0] if axes == 1 and isinstance(each, list) else each
            for each in (stride, padding, dilation)
        ]
        return node(None, weight, *keys, groups, bias), (out, *sizes)


def spikes_of(result: Any, layer: str, shape: tuple[int, int, int], dt: float) -> Array:
    """Return the spikes of a layer (example, time, neuron)."""
    spikes = np.zeros(shape)
    group = result[f"layers/{layer}"]
    steps = np.rint(group["spike_time_ms"].to_numpy() / (dt * 1e3)).astype(int)
    spikes[group["spike_example"], steps, group["spike_neuron"]] = 1
    return spikes


def compared(
    graph: Any, translation: Translation, *, dt: float = DT, reset: str = "zero",
    examples: int = 2, back: Edges = (),
) -> tuple[int, int]:  # fmt: skip
    """Return the spikes of the interpreter, and how many differ from those in Brian2.

    Of neurons that never fire, the decoded potential is asserted to be the same.
    """
    network = translation.network
    config = network.config
    rng = np.random.default_rng(0)
    shape = (config.steps, *config.input_shape) if config.in_time else config.input_shape
    data = rng.random((examples, *shape))
    drive = config.encoder.encode(data, np.arange(examples), steps=config.steps, seed=0)
    result = simulate(network, data, "numpy", seed=0)
    names = [row.node for row in translation.rows if row.type in NEURONS]
    fired = differing = 0
    ran = [
        run(graph, each.astype(float), dt, reset=reset, back=back) for each in drive.swapaxes(0, 1)
    ]
    for name, placed in zip(names, config.placed, strict=True):
        outputs = np.stack([each[name] for each in ran]).reshape(examples, config.steps, -1)
        if placed.model.threshold is None:
            decoded = result["output"].to_numpy()
            np.testing.assert_allclose(decoded, outputs.max(1), rtol=1e-9, atol=1e-12)
            assert outputs.any()
            continue
        spikes = spikes_of(result, placed.name, outputs.shape, dt)
        fired += int(outputs.sum())
        differing += int((spikes != outputs).sum())
    return fired, differing


STEPS, EXAMPLES = 20, 2


class Ran(NamedTuple):
    """A network that ran in Brian2: its input, and the spikes of each layer."""

    network: Network
    drive: Array  # (time, example, neuron)
    spikes: dict[str, Array]  # (example, time, neuron)


def _drawn(*layers: Any, shape: tuple[int, ...] = (1, 6, 6), **fields: Any) -> Network:
    task = {} if layers[-1] is not OUT else {"task": {"kind": "classification", "classes": 8}}
    return drawn(
        *layers, schedule="paper", input_shape=[*shape], steps=STEPS, **task,
        encoder={"kind": "bernoulli", "rate": 0.6}, **{"neuron": "lif", **fields},
    )  # fmt: skip


def _cuba() -> Network:
    each = np.ones(8)
    # What snnTorch wants: r = tau_mem/dt, and w_in = tau_syn/dt.
    neurons = nir.CubaLIF(
        tau_mem=10 * DT * each, tau_syn=4 * DT * each, r=10 * each, w_in=4 * each,
        v_leak=0 * each, v_threshold=2 * each, v_reset=0 * each,
    )  # fmt: skip
    weight = np.rint(np.random.default_rng(0).normal(size=(8, 16)) * 2**10) / 2**10
    graph = nir.NIRGraph.from_list(nir.Linear(weight), neurons)
    return from_nir(graph, dt=f"{DT}*second", steps=STEPS, encoder="bernoulli")


def _graph(clock: str) -> Network:
    """Excitation and inhibition, a skip, and a population that lags behind."""
    edges = [
        {"from": "input", "to": "a", "gain": 3.0}, {"from": "a", "to": "b", "gain": 4.0},
        {"from": "b", "to": "a", "sign": "negative", "delay": "1*ms", "kind": "sparse",
         "indegree": 4}, {"from": "a", "to": "a", "kind": "sparse", "probability": 0.3},
        {"from": "b", "to": "out"}, {"from": "a", "to": "out", "delay": "2*ms", "gain": 3.0},
    ]  # fmt: skip
    sizes = {"a": 12, "b": 6, "out": 8}
    config = NetworkConfig.from_mapping({
        "input_shape": [1, 6, 6], "schedule": "paper", "steps": STEPS, "neuron": "lif",
        "encoder": {"kind": "bernoulli", "rate": 0.6}, "clock": clock, "projections": edges,
        "populations": [{"name": n, "size": size, "bias": n == "b"} for n, size in sizes.items()],
        "task": {"kind": "classification", "classes": 8},
    })  # fmt: skip
    return Network.initialise(config, seed=0).with_weights({"b.bias": np.full(6, 0.05)})


OUT = dense("out", 8, gain=3.0)
# One spike leads exactly to the default threshold of 1, on which readers in 32 bits disagree.
POOL = {"kind": "sum_pool2d", "name": "b", "kernel": 2, "parameters": {"theta": "0.9"}}

NETWORKS: dict[str, Any] = {
    "dense": lambda: _drawn(dense("a", 12, gain=3.0), OUT),
    "convolution": lambda: _drawn(conv("a", 3, 3, padding=1, gain=4.0), OUT),
    "convolution alone": lambda: _drawn(conv("a", 1, 3, padding=1, bias=True, gain=4.0)),
    "strides, dilation": lambda: _drawn(conv("a", 3, 2, stride=2, dilation=2, gain=4.0), OUT),
    "groups": lambda: _drawn(conv("a", 4, 3, groups=2, gain=4.0), OUT, shape=(2, 6, 6)),
    "transposed": lambda: _drawn(deconv("a", 3, 3, gain=4.0), OUT),
    "transposed, groups": lambda: _drawn(
        deconv("a", 4, 3, groups=2, padding=1, gain=4.0), OUT, shape=(2, 5, 5)
    ),
    "transposed, strides": lambda: _drawn(deconv("a", 2, 3, stride=2, gain=4.0), OUT),
    "pooling": lambda: _drawn(conv("a", 3, 3, gain=4.0), POOL, OUT),
    "delay": lambda: _drawn(dense("a", 12, gain=3.0, delay="2*ms"), OUT),
    "recurrent": lambda: _drawn(dense("a", 12, gain=3.0, recurrent=True), OUT),
    "integrate and fire": lambda: _drawn(dense("a", 12, gain=2.0), OUT, neuron="if"),
    "current-based": _cuba,
    "delay within": lambda: _drawn(
        conv("a", 2, 3, gain=4.0, recurrent=True, recurrent_delay="2*ms"), OUT
    ),
    "staggered graph": lambda: _graph("staggered"),
    "common clock": lambda: _graph("common"),
}


#: The edges of exported graphs that lead back between populations.
BACK = {"staggered graph": [("b", "a_from_b_delay")], "common clock": [("b", "a_from_b_delay")]}


@cache
def ran(name: str) -> Ran:
    """Return a network of `NETWORKS`, and its spikes in Brian2."""
    network = NETWORKS[name]()
    config = network.config
    images = np.random.default_rng(0).random((EXAMPLES, *config.input_shape))
    drive = config.encoder.encode(images, np.arange(EXAMPLES), steps=STEPS, seed=0)
    result = simulate(network, images, "numpy", seed=0)
    spikes = {
        each.name: spikes_of(result, each.name, (EXAMPLES, STEPS, each.size), config.dt_seconds)
        for each in config.placed
    }
    assert all(each.sum() > 10 for each in spikes.values())
    return Ran(network, drive.reshape(STEPS, EXAMPLES, -1).astype(float), spikes)
