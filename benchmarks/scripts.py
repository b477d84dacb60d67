"""Brian2's examples CUBA and COBAHH in C++: the script's own program, and that of bioae.

``python -m benchmarks.scripts`` hands each network over with `bioae.from_brian2`, compiles both
with the same flags, and runs the two programs in turns: processor time and peak memory of the
programs alone, without compilation. It writes ``benchmarks/results/scripts.json`` and
``scripts.md``.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import brian2 as b2
import numpy as np
from brian2 import ms, mV, nS
from brian2.devices.device import reset_device

from benchmarks.interleaved import summary_row
from benchmarks.stored import Table, parser, write_table
from bioae import from_brian2
from bioae.api import engine_of
from bioae.simulation.backend import Backend
from bioae.simulation.presentations import Presentations
from bioae.simulation.targets.activation import IEEE_FLAGS

_COMMAND = "python -m benchmarks.scripts"
_NEURONS, _EXCITATORY, _CONNECTED = 4000, 3200, 0.02
_CUBA: dict[str, Any] = {
    "model": """
        dv/dt = (ge + gi - (v - El))/taum : volt (unless refractory)
        dge/dt = -ge/taue : volt
        dgi/dt = -gi/taui : volt
    """,
    "threshold": "v > Vt", "reset": "v = Vr", "refractory": 5 * ms, "method": "exact",
    "namespace": {
        "taum": 20 * ms, "taue": 5 * ms, "taui": 10 * ms,
        "Vt": -50 * mV, "Vr": -60 * mV, "El": -49 * mV,
    },
}  # fmt: skip
_COBAHH: dict[str, Any] = {
    "model": """
        dv/dt = (gl*(El - v) + ge*(Ee - v) + gi*(Ei - v)
                 - g_na*(m*m*m)*h*(v - ENa) - g_kd*(n*n*n*n)*(v - EK))/Cm : volt
        dm/dt = alpha_m*(1 - m) - beta_m*m : 1
        dn/dt = alpha_n*(1 - n) - beta_n*n : 1
        dh/dt = alpha_h*(1 - h) - beta_h*h : 1
        dge/dt = -ge*(1./taue) : siemens
        dgi/dt = -gi*(1./taui) : siemens
        alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV - v + VT)/(4*mV))/ms : Hz
        beta_m = 0.28*(mV**-1)*5*mV/exprel((v - VT - 40*mV)/(5*mV))/ms : Hz
        alpha_h = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
        beta_h = 4./(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
        alpha_n = 0.032*(mV**-1)*5*mV/exprel((15*mV - v + VT)/(5*mV))/ms : Hz
        beta_n = .5*exp((10*mV - v + VT)/(40*mV))/ms : Hz
    """,
    "threshold": "v > -20*mV", "refractory": 3 * ms, "method": "exponential_euler",
    "namespace": {
        "Cm": 200 * b2.pF, "gl": 10 * nS, "El": -60 * mV, "EK": -90 * mV, "ENa": 50 * mV,
        "g_na": 20 * b2.uS, "g_kd": 6 * b2.uS, "VT": -63 * mV, "taue": 5 * ms, "taui": 10 * ms,
        "Ee": 0 * mV, "Ei": -80 * mV,
    },
}  # fmt: skip
#: The arguments of the group, the weights, and the time that is simulated.
_NETWORKS: dict[str, tuple[dict[str, Any], Any, Any, Any]] = {
    "CUBA": (_CUBA, 1.62 * mV, -9 * mV, 1000 * ms),
    "COBAHH": (_COBAHH, 6 * nS, 67 * nS, 200 * ms),
}


def script(name: str) -> tuple[b2.Network, b2.SpikeMonitor]:
    """Return the network of a script, with the same connections and initial values each time."""
    options, excitation, inhibition, _ = _NETWORKS[name]
    random = np.random.default_rng(0)
    group = b2.NeuronGroup(_NEURONS, **options, name="neurons")
    if name == "CUBA":
        group.v = (-60 + 10 * random.random(_NEURONS)) * mV
    else:
        group.v = (-65 + 5 * random.standard_normal(_NEURONS)) * mV
        group.ge = (1.5 * random.standard_normal(_NEURONS) + 4) * 10 * nS
        group.gi = (12 * random.standard_normal(_NEURONS) + 20) * 10 * nS
    network, monitor = b2.Network(group), b2.SpikeMonitor(group, name="spikes")
    network.add(monitor)
    for target, weight, first, last in (
        ("ge", excitation, 0, _EXCITATORY), ("gi", inhibition, _EXCITATORY, _NEURONS)
    ):  # fmt: skip
        synapses = b2.Synapses(
            group, group, on_pre=f"{target} += weight", namespace={"weight": weight},
            name=f"to_{target}",
        )  # fmt: skip
        i, j = np.nonzero(random.random((last - first, _NEURONS)) < _CONNECTED)
        synapses.connect(i=i + first, j=j)
        network.add(synapses)
    return network, monitor


@contextmanager
def _built(name: str) -> Iterator[Callable[[], int]]:
    """Compile a script's own program, and yield a function that runs it and counts spikes."""
    flags = {"codegen.cpp.extra_compile_args_gcc": [*IEEE_FLAGS]}
    before = {key: b2.prefs[key] for key in flags}
    b2.prefs.update(flags)
    b2.set_device("cpp_standalone", build_on_run=False)
    network, monitor = script(name)
    network.run(_NETWORKS[name][-1])
    with tempfile.TemporaryDirectory() as folder:
        b2.device.build(directory=folder, compile=True, run=False)
        array = b2.device.get_array_filename(monitor.variables["i"])
        b2.device.reinit()
        reset_device()
        b2.prefs.update(before)

        def run() -> int:
            subprocess.call(["./main"], cwd=folder)
            return (Path(folder) / "results" / Path(array).name).stat().st_size // 4

        yield run


@contextmanager
def _handed_over(name: str) -> Iterator[Callable[[], int]]:
    """Compile bioae's program of a script, and yield a function that runs it and counts spikes."""
    b2.prefs.codegen.target = "numpy"
    converted = from_brian2(script(name)[0], duration=_NETWORKS[name][-1])
    engine = engine_of(converted.network, Backend("cpp_standalone"))
    presented = Presentations.of(converted.network.config, converted.data)
    part = slice(0, 1)
    with engine.runner(1) as runner:
        yield lambda: len(runner(presented, part).layers[0].neuron)


class _Usage:
    """Processor seconds and peak megabytes of the last program; in place of `subprocess.call`."""

    seconds = megabytes = 0.0

    def __call__(self, command: Any, **options: Any) -> int:
        process = subprocess.Popen(command, **{"stdout": subprocess.DEVNULL, **options})
        status, self.megabytes = Path(f"/proc/{process.pid}/status"), 0.0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            # The usage that the system returns begins with Python's memory, before the program.
            peak = re.search(r"VmHWM:\s+(\d+)", status.read_text())
            self.megabytes = max(self.megabytes, int(peak[1]) / 1024 if peak else 0)
            time.sleep(0.005)
        self.seconds = ended[2].ru_utime + ended[2].ru_stime
        process.returncode = os.waitstatus_to_exitcode(ended[1])
        return process.returncode


def _compared(name: str, rounds: int) -> Table:
    usage = _Usage()
    rows: dict[str, list[tuple[float, float, int]]] = {"script": [], "bioae": []}
    with ExitStack() as stack:
        programs = {"script": stack.enter_context(_built(name))}
        programs["bioae"] = stack.enter_context(_handed_over(name))
        stack.enter_context(patch("subprocess.call", usage))
        for number in range(-1, rounds):  # the first does not count
            for side in sorted(programs, reverse=number % 2 == 1):
                spikes = programs[side]()
                if number >= 0:
                    rows[side].append((usage.seconds, usage.megabytes, spikes))
    table = Table(f"{name}, {_NEURONS:,} neurons, {_NETWORKS[name][-1] / ms:g} ms", [])
    for side, values in rows.items():
        seconds, megabytes, counts = zip(*values, strict=True)
        table.rows.append({**asdict(summary_row(f"{side}: processor time", seconds)),
                           "megabytes": max(megabytes), "spikes": counts[0]})  # fmt: skip
    script, ours = table.rows
    table.notes.append(
        f"bioae takes {ours['median'] / script['median']:.2f} of the script's time and "
        f"{ours['megabytes'] / script['megabytes']:.2f} of its memory; the script fires "
        f"{script['spikes']:,} spikes, bioae {ours['spikes']:,}; flags {' '.join(IEEE_FLAGS)}"
    )
    return table


def main() -> None:
    """Measure each network, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--networks", nargs="*", choices=_NETWORKS, default=list(_NETWORKS))
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    b2.BrianLogger.suppress_name("unused_brian_object")
    for name in options.networks:
        write_table("scripts", _COMMAND, _compared(name, options.rounds))


if __name__ == "__main__":
    main()
