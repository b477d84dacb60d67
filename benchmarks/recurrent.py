"""Run time of training a recurrent layer, compared with snnTorch, SpikingJelly and Norse.

``python -m benchmarks.recurrent`` trains a layer of 512 recurrent neurons over 100 steps with all
of them, interleaved: the same weights, neurons, input, batch, spike derivative and loss. It writes
``benchmarks/results/recurrent.json`` and ``recurrent.md``. The sums of the input are computed for
all steps at once wherever a library allows it, which is faster.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.interleaved import interleaved, spread, summarised
from benchmarks.peers import PEERS
from benchmarks.peers.common import SLOPE, Lif, Wiring
from benchmarks.stored import RESULTS, Stored, parser
from bioae.files import write_text
from bioae.networks import Network, NetworkConfig
from bioae.networks.layer_base import ENCODER
from bioae.random import stream
from bioae.trainers import Backward, LayerOptions, NetworkMirror, derivative

_COMMAND = "python -m benchmarks.recurrent"
_PACKAGES = ("bioae", "numpy", "torch", *PEERS)

OURS, UNCOMPILED = "bioae", "bioae, uncompiled"

#: Wall time, and processor time, which other load on the machine affects less.
_CLOCKS = {"time": time.perf_counter, "processor time": time.process_time}

#: Returns the spikes (time, example, neuron) or their counts, for an input.
Layer = Callable[[Tensor], Tensor]


class Sizes:
    """The sizes of the network, and the fraction of active channels per step."""

    def __init__(
        self,
        *,
        channels: int = 700,
        neurons: int = 512,
        outputs: int = 20,
        steps: int = 100,
        batch: int = 64,
        active: float = 0.04,
    ) -> None:
        self.channels, self.neurons, self.outputs = channels, neurons, outputs
        self.steps, self.batch, self.active = steps, batch, active

    def network(self) -> Network:
        """Return the recurrent layer as the first of a network, whose second layer is not run."""
        hidden = {
            "kind": "dense", "name": "hidden", "units": self.neurons, "recurrent": True,
            "parameters": {"tau": "20*ms"}, "gain": 1.0,
        }  # fmt: skip
        fields = {
            "input_shape": [1, 1, self.channels],
            "steps": self.steps,
            "schedule": "paper",
            "layers": [hidden, {"kind": "dense", "name": "rest", "shape": [1, 1, self.channels]}],
        }
        config = NetworkConfig.from_mapping(fields, where=_COMMAND)
        return Network.initialise(config, seed=0).quantised()

    def drive(self) -> Tensor:
        """Return spikes of the input (time, example, channel)."""
        shape = self.steps, self.batch, self.channels
        return torch.from_numpy(stream(0, 0).random(shape) < self.active).float()


def layers(
    network: Network, peers: Iterable[str] = PEERS
) -> dict[str, tuple[Layer, list[nn.Parameter]]]:
    """Return the recurrent layer in bioae and in its peers, and its parameters, by name.

    Each returns the spike counts of an input (time, example, channel), (example, neuron).
    """
    found = {
        OURS: _ours(network, compiled=True),
        UNCOMPILED: _ours(network, compiled=False),
    }
    placed = network.config.placed[0]
    parameters = network.parameters(placed)
    decay = math.exp(-network.config.dt_seconds / float(parameters["tau"]))
    weights = (network.weights[f"hidden.{name}"] for name in ("weight", "recurrent"))
    wiring = Wiring(*(torch.tensor(each, dtype=torch.float32) for each in weights))
    for peer in peers:
        module = import_module(f"benchmarks.peers.{peer}")
        for name, layer in module.recurrent(Lif(decay, float(parameters["theta"])), wiring).items():
            found[f"{peer}, {name}"] = _counting(layer), [*layer.parameters()]
    return found


def _ours(network: Network, *, compiled: bool) -> tuple[Layer, list[nn.Parameter]]:
    options = LayerOptions(Backward(derivative("fast_sigmoid", slope=SLOPE)))
    layer = NetworkMirror(network, options, compile=compiled).layers["hidden"]

    def run(drive: Tensor) -> Tensor:
        emitted = {ENCODER: drive.unflatten(-1, (1, 1, -1))}
        counts: Tensor = layer(emitted, potential=None).counts
        return counts

    return run, [*layer.parameters()]


def _counting(layer: Layer) -> Layer:
    return lambda drive: layer(drive).sum(0)


def training(
    layer: Layer, parameters: list[nn.Parameter], drive: Tensor, outputs: int
) -> Callable[[], Tensor]:
    """Return a step of training, which returns the spike counts (example, neuron).

    Classes are read out from the rates by a linear layer, with the cross-entropy as the loss.
    """
    steps, batch, _ = drive.shape
    labels = torch.arange(batch) % outputs
    neurons = parameters[0].shape[0]
    readout = nn.Parameter(torch.from_numpy(stream(1, 0).normal(size=(outputs, neurons))).float())
    optimiser = torch.optim.Adam([*parameters, readout], lr=1e-6, fused=True)

    def train() -> Tensor:
        counts = layer(drive)
        loss = functional.cross_entropy(functional.linear(counts / steps, readout), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return counts.detach()

    return train


def main() -> None:
    """Measure, and write the table after each number of threads."""
    arguments = parser(_COMMAND, __doc__)
    threads = sorted({1, os.cpu_count() or 1})
    arguments.add_argument("--threads", type=int, nargs="+", default=threads, help="of PyTorch")
    arguments.add_argument("--runs", type=int, default=9, help="rounds that count")
    options = arguments.parse_args()
    stored = Stored(RESULTS / "recurrent.json", _COMMAND, _PACKAGES)
    keys = [{"threads": number} for number in options.threads]
    for key in stored.pending(keys, resume=options.resume):
        torch.set_num_threads(key["threads"])
        stored.add(*({**key, **row} for row in _rows(Sizes(), options.runs)))
        write_text(RESULTS / "recurrent.md", table(stored.rows), overwrite=True)
        print(table(stored.rows), flush=True)


def _rows(sizes: Sizes, runs: int) -> Iterator[dict[str, Any]]:
    drive = sizes.drive()
    steps = {
        name: training(layer, parameters, drive, sizes.outputs)
        for name, (layer, parameters) in layers(sizes.network()).items()
    }
    counts = {name: step() for name, step in steps.items()}
    same = {name: float((each == counts[OURS]).double().mean()) for name, each in counts.items()}
    yield {"measure": "density", "median": float(counts[OURS].mean()) / sizes.steps}
    for measure, clock in _CLOCKS.items():
        yield {"measure": f"load during {measure}", "median": os.getloadavg()[0]}
        times = interleaved(steps, runs=runs, clock=clock)
        for row in summarised(times, unit="ms per step", per=1 / 1000).values():
            yield {"measure": measure, **asdict(row), "same_counts": same[row.what]}
        for name in times:
            # Round by round: other load on the machine affects all in a round.
            ratios = [slow / fast for slow, fast in zip(times[name], times[OURS], strict=True)]
            (row,) = summarised({name: ratios}, unit="times as fast").values()
            yield {"measure": f"{measure}, ratio", **asdict(row)}


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a section of Markdown for each number of threads."""
    rows, sizes = list(rows), Sizes()
    about = f"""\
# Training of a recurrent layer compared with other libraries

Written by `{_COMMAND}`: {sizes.channels} input channels, {100 * sizes.active:.0f} % of them active
in each step; {sizes.neurons} recurrent leaky integrate-and-fire neurons, {sizes.steps} steps,
{sizes.batch} examples per batch, float32; {sizes.outputs} classes read out from the rates.
Forward, backward and Adam's update, interleaved in one process. Medians with the fastest and the
slowest round; ratios are those of each round."""
    lines = [about]
    for threads in dict.fromkeys(row["threads"] for row in rows):
        mine = [row for row in rows if row["threads"] == threads]
        lines += ["", f"## {threads} thread{'s' * (threads > 1)}", "", *_section(mine)]
    return "\n".join(lines) + "\n"


def _section(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    by = {(row["measure"], row.get("what")): row for row in rows}
    columns = "ms per step", "relative to bioae", "processor time", "relative to bioae"
    yield f"| | {' | '.join(columns)} | same spike counts |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for measure, name in by:
        if measure != "time" or name is None:
            continue
        cells = [spread(by[each, name]) for each in ("time", "time, ratio")]
        cells += [spread(by[each, name]) for each in ("processor time", "processor time, ratio")]
        yield f"| {name} | {' | '.join(cells)} | {by['time', name]['same_counts']:.4f} |"
    yield ""
    yield f"- density {by['density', None]['median']:.4f} spikes per neuron and step"
    for clock in _CLOCKS:
        load = by[f"load during {clock}", None]["median"]
        yield f"- load average of the machine before the rounds of {clock}: {load:.1f}"


if __name__ == "__main__":
    main()
