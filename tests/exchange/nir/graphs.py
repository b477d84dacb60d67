"""Random NIR graphs, and the comparison of their networks with the interpreter."""

from __future__ import annotations

from functools import partial
from typing import Any

import nir
import numpy as np
from exchange.nir.euler import NEURONS, run
from numpy.typing import NDArray

from bioae import simulate
from bioae.exchange.nir import Translation

__all__ = ["Drawn", "compared", "spikes_of"]

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
                steps = self.rng.integers(0, 4, shape)
                return nir.Delay(steps * DT), shape
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
    graph: Any, translation: Translation, *, dt: float = DT, reset: str = "zero", examples: int = 2
) -> tuple[int, int]:
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
    for name, placed in zip(names, config.placed, strict=True):
        outputs = np.stack(
            [run(graph, drive[:, e].astype(float), dt, reset=reset)[name] for e in range(examples)]
        ).reshape(examples, config.steps, -1)
        if placed.model.threshold is None:
            decoded = result["output"].to_numpy()
            np.testing.assert_allclose(decoded, outputs.max(1), rtol=1e-9, atol=1e-12)
            assert outputs.any()
            continue
        spikes = spikes_of(result, placed.name, outputs.shape, dt)
        fired += int(outputs.sum())
        differing += int((spikes != outputs).sum())
    return fired, differing
