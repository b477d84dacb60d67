"""Spikes of a graph of populations on every target, compared with those in Brian2's C++.

``python -m benchmarks.graph_parity`` runs a network of 6 populations on both clocks and in both
schedules: two input variables, sparse projections, signs, delays, a skip, feedback, projections
within populations. It writes each row as soon as it is measured to
``docs/results/graph_parity.json``, and the table of the page.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae import analysis, simulate
from bioae.files import write_text
from bioae.networks import Network, NetworkConfig
from bioae.simulation.presentations import Presentations
from bioae.simulation.results.chunk import Chunk
from bioae.simulation.results.describe import result_of
from bioae.trainers import NetworkMirror
from bioae.trainers.mirror.recording import layer_spikes

_COMMAND = "python -m benchmarks.graph_parity"
_REFERENCE, _COMPILED = "cpp_standalone", "torch, compiled"
_TARGETS = ("torch", _COMPILED, "cython", "numpy")
_NEURON = {
    "description": "A leaky neuron with two synaptic variables.",
    "equations": """
        dv/dt = (-v + g_e - g_i)/tau : 1 (unless refractory)
        dg_e/dt = -g_e/(5*ms) : 1
        dg_i/dt = -g_i/(10*ms) : 1
    """,
    "threshold": "v > 1", "reset": "v = 0", "refractory": "2*ms", "method": "euler",
    "input": "g_e", "targets": {"g_i": "1"}, "parameters": {"tau": "10*ms"},
}  # fmt: skip
_SPARSE: dict[str, Any] = {"kind": "sparse"}
_INHIBITION: dict[str, Any] = {"target": "g_i"}
_PROJECTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("input", "a", {**_SPARSE, "probability": 0.4, "gain": 3}),
    ("input", "b", {**_SPARSE, "indegree": 8, "delay": "2*ms", "gain": 4}),
    ("a", "b", {**_SPARSE, "synapses": 120, "initial": [0, 1], "sign": "positive"}),
    ("b", "c", {**_SPARSE, "indegree": 5, "gain": 4, "delay": ["0*ms", "4*ms"]}),
    ("c", "a", {**_SPARSE, **_INHIBITION, "probability": 0.3, "initial": [0, 0.3]}),
    ("a", "d", {"gain": 3}),
    ("d", "e", {"gain": 3}),
    ("c", "e", {"delay": "1*ms", "sign": "negative", "initial": [0, 0.1]}),
    ("e", "d", {**_INHIBITION, "initial": [0, 0.5], "delay": "1*ms"}),
    ("e", "e", {**_SPARSE, "name": "own", "indegree": 4}),
    ("e", "f", {"gain": 5}),
    ("b", "f", {**_INHIBITION, "initial": [0.0, 0.2]}),
    ("e", "a", {"name": "feedback", "gain": 0.5}),
)


def network(clock: str, schedule: str) -> Network:
    """Return the graph on a clock, in a schedule."""
    config = NetworkConfig.from_mapping(
        {
            "input_shape": [1, 1, 16], "dt": "1*ms", "steps": 60, "latent": "c",
            "clock": clock, "schedule": schedule, "neuron": "two", "neurons": {"two": _NEURON},
            "encoder": {"kind": "bernoulli"}, "decoder": {"kind": "max"},
            "populations": [{"name": name, "size": 16 if name == "f" else 20} for name in "abcdef"],
            "projections": [
                {"from": source, "to": target, **options}
                for source, target, options in _PROJECTIONS
            ],
        }
    )  # fmt: skip
    return Network.initialise(config, seed=0).quantised(12)


@torch.no_grad()
def _run(graph: Network, inputs: NDArray[np.float64], target: str) -> xr.DataTree:
    if target != _COMPILED:
        return simulate(graph, inputs, target, progress=False)
    presented = Presentations.of(graph.config, inputs)
    mirror = NetworkMirror(graph, dtype=torch.float64, compile="auto").eval()
    activity = mirror(torch.from_numpy(presented.drive()), key=presented.key())
    layers = [layer_spikes(each, activity.layers[each.name]) for each in graph.config.placed]
    chunk = Chunk(tuple(layers), activity.output.double().numpy())
    return result_of(graph, presented, chunk, target="torch", dtype="float64")


def main() -> None:
    """Compare each target, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--presentations", type=int, default=400)
    arguments.add_argument("--targets", nargs="*", choices=_TARGETS, default=_TARGETS)
    options = arguments.parse_args()
    stored = Stored(DOCS_RESULTS / "graph_parity.json", _COMMAND)
    reference = cache(partial(_reference, options.presentations))
    names = ("clock", "schedule", "target")
    rows = product(("staggered", "common"), ("brian2", "paper"), options.targets)
    for key in stored.pending([dict(zip(names, row, strict=True)) for row in rows],
                              resume=options.resume):  # fmt: skip
        graph, inputs, expected = reference(key["clock"], key["schedule"])
        start = time.perf_counter()
        found = _run(graph, inputs, key["target"])
        difference = analysis.differing_spikes(expected, found)
        row = {
            **key, "presentations": len(inputs), "spikes": int(difference["spikes_a"].sum()),
            "differing": int(difference["differing"].sum()),
            "seconds": round(time.perf_counter() - start, 1),
        }  # fmt: skip
        print(row, flush=True)
        stored.add(row)
        path = DOCS_RESULTS / "graph_parity-table.inc"
        write_text(path, table(stored.rows), overwrite=True)


def _reference(
    presentations: int, clock: str, schedule: str
) -> tuple[Network, NDArray[np.float64], xr.DataTree]:
    graph = network(clock, schedule)
    inputs = np.random.default_rng(0).random((presentations, 1, 1, 16))
    return graph, inputs, _run(graph, inputs, _REFERENCE)


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of the page: the spikes in C++, and how many differ on each target."""
    lines = [f"| clock | schedule | spikes | {' | '.join(f'`{each}`' for each in _TARGETS)} |"]
    lines.append("| --- | --- |" + " ---: |" * (1 + len(_TARGETS)))
    differing = {(row["clock"], row["schedule"], row["target"]): row["differing"] for row in rows}
    for clock, schedule in dict.fromkeys((row["clock"], row["schedule"]) for row in rows):
        spikes = max(row["spikes"] for row in rows
                     if (row["clock"], row["schedule"]) == (clock, schedule))  # fmt: skip
        numbers = (str(differing.get((clock, schedule, each), "")) for each in _TARGETS)
        lines.append(f"| {clock} | `{schedule}` | {spikes:,} | {' | '.join(numbers)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
