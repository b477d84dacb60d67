"""On-line learning in C++: a network that learns by pair STDP, next to Brian2 written by hand.

``python -m benchmarks.learning`` writes ``results/learning.json`` and ``learning.md``. Both sides
run the same digits, neurons and rule; neither time includes compilation.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

from benchmarks.interleaved import summary_row
from benchmarks.stored import Table, parser, pending_tables, write_table

__all__ = ["bioae_seconds", "by_hand_seconds", "main"]

_COMMAND = "python -m benchmarks.learning"
_TITLE = "Learning: 784-400 neurons, pair STDP, 50 steps per digit"
_RUNS, _DIGITS, _STEPS, _UNITS = 5, 500, 50, 400

_BIOAE = f"""
import json, sys, time
import bioae
import numpy as np
from bioae.datasets import load
from bioae.simulation.backend import Backend
from bioae.simulation.learned import learner
from bioae.simulation.presentations import Presentations
from bioae.simulation.workers.job import Job
digits = load("sample", "train", int(sys.argv[1]))
layer = {{"kind": "dense", "name": "hidden", "units": {_UNITS}, "weight": "0.004",
          "synapse": "stdp_pair"}}
config = bioae.NetworkConfig.from_mapping({{
    "steps": {_STEPS}, "schedule": "paper", "encoder": {{"kind": "bernoulli"}},
    "task": {{"kind": "classification", "classes": {_UNITS}}}, "decoder": {{"kind": "count"}},
    "layers": [layer]}}, where="benchmark")
network = bioae.Network.initialise(config, seed=0)
draw = np.random.default_rng(0)
weights = {{name: 0.6*draw.random(values.shape) for name, values in network.weights.items()}}
network = learner(bioae.Network(config, weights))
presented = Presentations.of(network.config, digits)
times = []
with Job(network, len(presented), Backend("cpp_standalone"), learning=True).runner() as runner:
    for _ in range(int(sys.argv[2]) + 1):
        runner.weights.clear()
        start = time.perf_counter()
        chunk = runner(presented, slice(0, len(presented)))
        times.append(time.perf_counter() - start)
print(json.dumps([times[1:], int(chunk.layers[0].counts.sum())]))
"""

_BY_HAND = f"""
import json, sys, tempfile, time
import numpy as np
from brian2 import *
from bioae.datasets import load
digits = load("sample", "train", int(sys.argv[1])).images.reshape(int(sys.argv[1]), -1)
set_device("cpp_standalone", build_on_run=False)
defaultclock.dt = 1*ms
rates = TimedArray(0.2*np.repeat(digits, 1, axis=0), dt={_STEPS}*ms)
inputs = NeuronGroup(784, "dx/dt = -x/(20*ms) : 1", threshold="rand() < rates(t, i)",
                     reset="x += 1", method="exact")
hidden = NeuronGroup({_UNITS}, "dv/dt = -v/(100*ms) : 1\\ndy/dt = -y/(20*ms) : 1",
                     threshold="v > 1", reset="v = 0\\ny += 1", method="exact")
inputs.run_regularly("x = 0", dt={_STEPS}*ms)
hidden.run_regularly("v = 0\\ny = 0", dt={_STEPS}*ms)
synapses = Synapses(inputs, hidden, "w : 1",
                    on_pre="v_post += 0.004*w\\nw = clip(w - 0.00525*y_post, 0, 1)",
                    on_post="w = clip(w + 0.005*x_pre, 0, 1)")
synapses.connect()
synapses.w = "0.6*rand()"
spikes = SpikeMonitor(hidden)
run(len(digits)*{_STEPS}*ms)
with tempfile.TemporaryDirectory() as folder:
    device.build(directory=folder, compile=True, run=False)
    times = []
    for _ in range(int(sys.argv[2]) + 1):
        start = time.perf_counter()
        device.run(with_output=False)
        times.append(time.perf_counter() - start)
    print(json.dumps([times[1:], int(spikes.num_spikes)]))
"""


def main() -> None:
    """Measure, print the table, and write it."""
    options = parser(_COMMAND, __doc__).parse_args()
    for title in pending_tables("learning", [_TITLE], resume=options.resume):
        sides = {"bioae": bioae_seconds(), "Brian2 `Synapses`, by hand": by_hand_seconds()}
        rows = [
            asdict(summary_row(f"{name}: a digit", [1e3 * s / _DIGITS for s in times], unit="ms"))
            | {"spikes_per_image": spikes / _DIGITS}
            for name, (times, spikes) in sides.items()
        ]
        quotient = rows[1]["median"] / rows[0]["median"]
        note = f"bioae takes 1/{quotient:.1f} of the time; both in float64, on one core"
        write_table("learning", _COMMAND, Table(title, rows, [note]))


def bioae_seconds(digits: int = _DIGITS, runs: int = _RUNS) -> tuple[list[float], int]:
    """Return the seconds of runs over some digits, and the hidden spikes of the last run."""
    return _measured(_BIOAE, digits, runs)


def by_hand_seconds(digits: int = _DIGITS, runs: int = _RUNS) -> tuple[list[float], int]:
    """Return the same of plain Brian2."""
    return _measured(_BY_HAND, digits, runs)


def _measured(code: str, digits: int, runs: int) -> tuple[list[float], int]:
    done = subprocess.run(
        [sys.executable, "-c", code, str(digits), str(runs)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    times, spikes = json.loads(done.stdout.splitlines()[-1])
    return times, spikes


if __name__ == "__main__":
    main()
