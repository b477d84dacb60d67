"""On-line learning in C++: networks that learn by STDP, next to Brian2 written manually.

``python -m benchmarks.learning`` writes ``results/learning.json`` and ``learning.md``. Both sides
run the same digits, neurons and rules; neither time includes compilation. Times are those of the
processor, in Python and in the compiled program, which other work on the machine hardly changes.
The data set ``mnist`` is needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.interleaved import summary_row
from benchmarks.stored import Table, parser, pending_tables, write_table

_COMMAND = "python -m benchmarks.learning"
_STEPS, _UNITS = 50, 400


class Case(NamedTuple):
    """A network that learns.

    Attributes
    ----------
    title
        The table's title.
    digits, runs
        The number of digits of a run, and of runs.
    layer
        Keys of its layer.
    input, hidden, synapses, lateral
        Brian2 code of the same: the source's trace and its jump; the neurons' equations, threshold
        and reset; statements of synapses; inhibition of the other neurons.
    """

    title: str
    digits: int
    runs: int
    layer: dict[str, Any]
    input: tuple[str, str]
    hidden: tuple[str, str, str]
    synapses: tuple[str, str]
    lateral: float = 0.0


CASES = (
    Case(
        "Learning: 784-400 neurons, pair STDP, 50 steps per digit, 500 digits", 500, 5,
        {"weight": "0.004", "synapse": "stdp_pair", "initial": [0.0, 0.6]},
        ("dx/dt = -x/(20*ms) : 1", "x += 1"),
        ("dv/dt = -v/(100*ms) : 1\ndy/dt = -y/(20*ms) : 1", "v > 1", "v = 0\ny += 1"),
        ("v_post += 0.004*w\nw = clip(w - 0.00525*y_post, 0, 1)",
         "w = clip(w + 0.005*x_pre, 0, 1)"),
    ),
    Case(
        "Learning: 784-400 neurons, postsynaptic STDP with homeostasis and lateral inhibition, "
        "50 steps per digit, 10,000 digits", 10_000, 3,
        {
            "weight": "0.02", "synapse": "stdp_postsynaptic", "initial": [0.0, 0.3],
            "neuron": "lif_homeostatic", "parameters": {"h_plus": "0.02", "tau_h": "100*second"},
            "recurrent": True, "recurrent_initial": -100.0,
        },
        ("dx/dt = -x/(20*ms) : 1", "x = 1"),
        ("dv/dt = -v/(100*ms) : 1\ndh/dt = -h/(100*second) : 1", "v > 1 + h",
         "v = 0\nh += 0.02"),
        ("v_post += 0.02*w", "w = clip(w + 0.05*(x_pre*(1 - w) - 0.6*w), 0, 1)"),
        lateral=2.0,
    ),
)  # fmt: skip

#: Seconds of the processor so far, in this process and in those that have ended.
_SPENT = """
import resource
def spent():
    whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    return sum(each.ru_utime + each.ru_stime for each in map(resource.getrusage, whose))
"""

_BIOAE = """
import json, sys
import bioae
import numpy as np
from bioae.datasets import load
from bioae.simulation.backend import Backend
from bioae.networks.plasticity import PlasticState
from bioae.simulation.presentations import Presentations
from bioae.simulation.workers.job import Brian2Engine
given = json.loads(sys.argv[1])
digits = load("mnist", "train", given["digits"])
network = bioae.Network.initialise(
    bioae.NetworkConfig.from_mapping(given["network"], where="benchmark")).learner()
presented = Presentations.of(network.config, digits)
times = []
engine = Brian2Engine(network, Backend("cpp_standalone"))
with engine.runner(len(presented), learning=True) as runner:
    for _ in range(given["runs"] + 1):
        runner.built.state = PlasticState(network.config.placed, network.weights)
        start = spent()
        chunk = runner(presented, slice(0, len(presented)))
        times.append(spent() - start)
np.savez(given["weights"], **runner.built.state.arrays)
print(json.dumps([times[1:], int(chunk.layers[0].counts.sum())]))
"""

_BY_HAND = """
import json, sys, tempfile
import numpy as np
from brian2 import *
from bioae.datasets import load
given = json.loads(sys.argv[1])
steps, units = given["network"]["steps"], given["network"]["layers"][0]["units"]
digits = load("mnist", "train", given["digits"]).as_float().reshape(given["digits"], -1)
set_device("cpp_standalone", build_on_run=False)
defaultclock.dt = 1*ms
rates = TimedArray(0.2*digits, dt=steps*ms)
traces, jump = given["input"]
inputs = NeuronGroup(784, traces, threshold="rand() < rates(t, i)", reset=jump, method="exact")
equations, threshold, reset = given["hidden"]
hidden = NeuronGroup(units, equations, threshold=threshold, reset=reset, method="exact")
inputs.run_regularly("x = 0", dt=steps*ms)
hidden.run_regularly("v = 0" + ("; y = 0" if "dy" in equations else ""), dt=steps*ms)
on_pre, on_post = given["synapses"]
synapses = Synapses(inputs, hidden, "w : 1", on_pre=on_pre, on_post=on_post)
synapses.connect()
low, high = given["network"]["layers"][0]["initial"]
synapses.w = f"{low} + {high - low}*rand()"
objects = [inputs, hidden, synapses]
if given["lateral"]:
    inhibition = Synapses(hidden, hidden, on_pre=f"v_post -= {given['lateral']}")
    inhibition.connect(condition="i != j")
    objects.append(inhibition)
spikes = SpikeMonitor(hidden)
network = Network(*objects, spikes)
network.run(len(digits)*steps*ms)
with tempfile.TemporaryDirectory() as folder:
    device.build(directory=folder, compile=True, run=False)
    times = []
    for _ in range(given["runs"] + 1):
        start = spent()
        device.run(with_output=False)
        times.append(spent() - start)
    learned = {"hidden.weight": np.asarray(synapses.w).reshape(784, units).T}
    if "dh" in equations:
        learned["hidden.h_start"] = np.asarray(hidden.h)
    np.savez(given["weights"], **learned)
    print(json.dumps([times[1:], int(spikes.num_spikes)]))
"""

_ACCURACY = """
import json, sys
import bioae
import numpy as np
from bioae.analysis import assigned_accuracy, assigned_classes
from bioae.datasets import load
given = json.loads(sys.argv[1])
config = bioae.NetworkConfig.from_mapping(given["network"], where="benchmark")
start = bioae.Network.initialise(config)
network = bioae.Network(config, {**start.weights, **np.load(given["weights"])})
train, test = load("mnist", "train", given["digits"]), load("mnist", "test", 2000)
classes = assigned_classes(bioae.simulate(network, train), "hidden")
print(json.dumps(float(assigned_accuracy(
    bioae.simulate(network, test), "hidden", classes)["accuracy"])))
"""


def main() -> None:
    """Measure, print the tables, and write them."""
    options = parser(_COMMAND, __doc__).parse_args()
    titles = [case.title for case in CASES]
    for title in pending_tables("learning", titles, resume=options.resume):
        case = CASES[titles.index(title)]
        rows, notes = [], []
        for name, code in (("bioae", _BIOAE), ("Brian2 `Synapses`, by hand", _BY_HAND)):
            times, spikes, accuracy = measured(code, case)
            milliseconds = [1e3 * seconds / case.digits for seconds in times]
            row = asdict(summary_row(f"{name}: a digit", milliseconds, unit="ms"))
            rows.append(row | {"spikes_per_image": spikes / case.digits})
            notes.append(f"{name}: accuracy by the classes of neurons {accuracy:.3f}, 2,000 digits")
        quotient = rows[1]["median"] / rows[0]["median"]
        notes.append(
            f"bioae takes 1/{quotient:.1f} of the processor time; both in float64, on one core"
        )
        write_table("learning", _COMMAND, Table(title, rows, notes))


def measured(
    code: str, case: Case, digits: int | None = None, runs: int | None = None
) -> tuple[list[float], int, float]:
    """Return seconds of the processor by run, hidden spikes of the last one, and the accuracy.

    Parameters
    ----------
    code
        A side's program.
    case
        The network.
    digits, runs
        Other numbers than the case's.
    """
    network = {
        "steps": _STEPS, "encoder": {"kind": "bernoulli"},
        "task": {"kind": "representation", "outputs": _UNITS}, "decoder": {"kind": "count"},
        "layers": [{"kind": "dense", "name": "hidden", "units": _UNITS, **case.layer}],
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        given = {
            **case._asdict(), "network": network, "weights": str(Path(folder) / "weights.npz"),
            "digits": digits or case.digits, "runs": runs or case.runs,
        }  # fmt: skip
        times, spikes = _run(code, given)
        return times, spikes, _run(_ACCURACY, given)


def _run(code: str, given: Any) -> Any:
    command: Iterable[str] = (sys.executable, "-c", _SPENT + code, json.dumps(given))
    done = subprocess.run([*command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
