"""Brian2's examples handed over to bioae: their spikes or states, or why an example is refused.

``python -m benchmarks.brian2_examples FOLDER`` executes each script of a folder with Brian2's
examples until its first run, converts the objects of that run, and runs both for at most 500 ms.
Spikes of Poisson groups are recorded and replayed. Each row is written as soon as it is measured to
``docs/results/brian2_examples.json``, and the table of the page.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import types
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import brian2 as b2
import matplotlib as mpl
import numpy as np
import xarray as xr
from brian2.core.network import _get_all_objects
from numpy.typing import NDArray

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae import Backend, explain, from_brian2, learn, simulate
from bioae.errors import BioaeError
from bioae.exchange.brian2.objects import Converted
from bioae.files import write_text
from bioae.networks import Network
from bioae.networks.config import NetworkConfig

_COMMAND = "python -m benchmarks.brian2_examples"
_SEEDS = (3, 10)
_SECONDS_OF_SEEDS = 60
_FEWEST_INTERVALS = 50
_MOST_STATES = 2_000_000
_RANDOM = re.compile(r"\b(xi\w*|randn?\(|poisson\(|binomial\()")
#: Texts of refusals, and what is counted in the table.
_KINDS = {
    "SpatialNeuron": "neurons of several compartments",
    "summed variable": "summed variables, gap junctions",
    "differential equation": "differential equations of synapses",
    "that adds to neurons": "rules that change variables of neurons",
    "SpikeGeneratorGroup": "synapses onto spike generators",
    "NetworkOperation": "network operations",
    "linked variable": "linked variables",
    "different clocks": "several clocks",
    "timed array": "timed arrays at other times than t",
    "timed_arrays": "timed arrays of over 10,000 values",
    "run_regularly": "regular operations on inputs or synapses",
    "part of the group": "regular operations on subgroups",
    "found event": "pathways of custom events",
    "divide by": "a time constant of 0",
}
_INPUTS = (b2.PoissonGroup, b2.SpikeGeneratorGroup)


def main() -> None:
    """Measure each example, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("folder", type=Path, help="Brian2's examples")
    arguments.add_argument("--only", nargs="*", default=[""], help="beginnings of paths of scripts")
    arguments.add_argument("--limit", type=float, default=150, help="seconds per script")
    arguments.add_argument("--longest", type=float, default=500, help="ms of each run")
    options = arguments.parse_args()
    mpl.use("Agg")
    scripts = sorted(path for path in options.folder.rglob("*.py") if _has_run(path))
    names = [path.relative_to(options.folder).as_posix() for path in scripts]
    stored = Stored(DOCS_RESULTS / "brian2_examples.json", _COMMAND)
    stored.rows = [row for row in stored.rows if row["example"] in names]
    keys = [{"example": name} for name in names if name.startswith(tuple(options.only))]
    for key in stored.pending(keys, resume=options.resume):
        row = {**key, **_in_process(key["example"], options)}
        stored.add({each: row[each] for each in row if each != "traceback"})
        print(row, row.get("traceback", ""), sep="\n", flush=True)
        path = DOCS_RESULTS / "brian2_examples-table.inc"
        write_text(path, table(stored.rows), overwrite=True)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the number of examples by outcome, and a row per example."""
    rows = sorted(rows, key=lambda row: row["example"])
    counts = Counter((row["outcome"], _reason(row)) for row in rows)
    lines = ["| outcome | reason | examples |", "| --- | --- | ---: |"]
    for (outcome, reason), count in sorted(counts.items(), key=lambda each: (each[0][0], -each[1])):
        lines.append(f"| {outcome} | {reason} | {count} |")
    heads = "outcome | ms | spikes of the script | of bioae | differing"
    lines += ["", f"| example | {heads} | remark |", "| --- | --- |" + " ---: |" * 4 + " --- |"]
    for row in rows:
        figures = (row.get(key) for key in ("ms", "spikes", "spikes_bioae", "differing"))
        cells = " | ".join("" if each is None else f"{each:,.10g}" for each in figures)
        remark = row.get("remark", "").replace("|", "\\|")
        lines.append(f"| `{row['example']}` | {row['outcome']} | {cells} | {remark} |")
    return "\n".join(lines) + "\n"


def _reason(row: Mapping[str, Any]) -> str:
    """Return the kind of a refusal."""
    if row["outcome"] != "refused":
        return ""
    return next((kind for text, kind in _KINDS.items() if text in row["remark"]), "other")


def _has_run(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return "brian2" in text and re.search(r"\brun\(", text) is not None


def _in_process(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the row of a script, which runs in a process with a copy of its folder."""
    context = multiprocessing.get_context("fork")  # imports are done once
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as temporary:
        copy = shutil.copytree(options.folder, Path(temporary, "examples"))
        process = context.Process(target=_serve, args=(copy / name, sender, options.longest / 1e3))
        process.start()
        row: dict[str, Any] = {"outcome": "out of time", "remark": f"{options.limit:g} s"}
        deadline = time.monotonic() + options.limit
        while time.monotonic() < deadline:
            if receiver.poll(1):
                row = receiver.recv()
                break
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
        process.join()
    row["remark"] = row.get("remark", "").replace(temporary + "/", "")
    return {key: value for key, value in row.items() if value != ""}


def _serve(script: Path, sender: Connection[Any, Any], longest: float) -> None:
    """Execute a script up to its first run, and send the row of that run."""
    os.setsid()
    os.chdir(script.parent)
    sys.path.insert(0, str(script.parent))
    sys.argv = [str(script)]
    log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    original = b2.Network.run

    def run(network: b2.Network, duration: b2.Quantity, *_: Any, **options: Any) -> None:
        namespace = options.get("namespace") or _namespace(script)
        if not duration:
            return original(network, duration, namespace=namespace)
        b2.Network.run = original
        b2.prefs.codegen.target = "numpy"
        length = min(float(duration), longest) * b2.second
        sender.send(_row(lambda: _measured(network, length, namespace)))
        os._exit(0)

    b2.prefs.codegen.target = "numpy"
    b2.Network.run = run
    b2.set_device = b2.devices.device.set_device = lambda *_, **__: None

    def executed() -> dict[str, Any]:
        code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
        sys.modules["__main__"] = module = types.ModuleType("__main__")
        module.__file__ = str(script)
        exec(code, module.__dict__)
        return {"outcome": "not run", "remark": "no run"}

    row = _row(executed)
    if row["outcome"] == "traceback":
        row["outcome"] = "not run"
    sender.send(row)


def _row(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except BaseException as error:  # noqa: BLE001
        remark = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return {"outcome": "traceback", "remark": remark, "traceback": traceback.format_exc()}


def _namespace(script: Path) -> dict[str, Any]:
    """Return the names that the nearest function of the example's folder sees."""
    frame = sys._getframe()
    while not frame.f_code.co_filename.startswith(str(script.parent)):
        assert frame.f_back is not None
        frame = frame.f_back
    return {**frame.f_globals, **frame.f_locals}


def _measured(
    network: b2.Network, length: b2.Quantity, namespace: dict[str, Any]
) -> dict[str, Any]:
    """Return the row of a run: the script's spikes or states, and those of bioae."""
    objects = sorted(network.objects, key=lambda each: str(each.name))
    row: dict[str, Any] = {"ms": round(float(length) * 1e3, 6)}
    explain(*objects, namespace=namespace)
    try:
        return row | _compared(objects, namespace, length)
    except BioaeError as error:
        return {**row, "outcome": "refused", "remark": str(error)}


def _compared(objects: list[Any], namespace: dict[str, Any], length: b2.Quantity) -> dict[str, Any]:
    """Return the comparison of the script's run with that of its conversion."""
    converted = from_brian2(*objects, duration=length, namespace=namespace)
    groups = [each for each in objects if type(each) is b2.NeuronGroup]
    firing = [each for each in groups if "spike" in each.events]
    inputs = [each for each in objects if isinstance(each, _INPUTS)]
    spikes = {each.name: b2.SpikeMonitor(each) for each in (*firing, *inputs)}
    steps = converted.network.config.steps
    states = {
        each.name: b2.StateMonitor(each, sorted(each.user_equations.diff_eq_names), True,
                                   when="end")
        for each in groups if len(each) * steps <= _MOST_STATES
    }  # fmt: skip
    for each in _get_all_objects(objects):
        each._network = None  # that of the script does not run
    whole = b2.Network(*objects, *spikes.values(), *states.values())
    texts = converted.network.config.to_mapping()["neurons"]
    if _RANDOM.search(str(texts)) or any(isinstance(each, b2.PoissonInput) for each in objects):
        compared = (spikes, {}) if firing else ({}, states)
        return _statistics(whole, objects, compared, namespace, length)
    before = _synaptic(objects)
    whole.run(length, namespace=namespace)
    if any(spikes[each.name].num_spikes for each in firing):
        result = _simulated(objects, spikes, converted)
        row = _spikes(spikes, result, converted)
        return row | _weights(objects, before, result)
    names = {name for each in states.values() for name in each.record_variables}
    return _states(states, _simulated(objects, spikes, converted, names))


def _simulated(
    objects: Any, spikes: Mapping[str, Any], converted: Converted, record: Collection[str] = ()
) -> xr.DataTree:
    """Return bioae's result, with the spikes of Poisson groups that the script fired."""
    network, data = converted.network, converted.data
    inputs = [each for each in objects if isinstance(each, _INPUTS)]
    if any(isinstance(each, b2.PoissonGroup) for each in inputs):
        config = network.config
        data, first = np.zeros((1, config.steps, sum(map(len, inputs)))), 0
        for each in inputs:
            monitor = spikes[each.name]
            step = np.rint(np.asarray(monitor.t) / config.dt_seconds).astype(int)
            np.add.at(data[0], (step, first + np.asarray(monitor.i)), 1.0)
            first += len(each)
        mapping = config.to_mapping() | {"encoder": {"kind": "frames"}}
        mapping["input_shape"] = [data.shape[2]]
        network = Network(NetworkConfig.from_mapping(mapping), network.weights)
    return _run(network, data, record)


def _run(network: Network, data: Any, record: Collection[str] = (), seed: int = 0) -> xr.DataTree:
    """Return the result of a run, in which rules learn; its attributes have the weights."""
    if not network.config.synapses:
        return simulate(network, data, _backend(record), seed=seed, progress=False)
    learned = learn(network, data, _backend(record), seed=seed, progress=False)
    learned.result.attrs["learned"] = learned.network.weights
    return learned.result


def _backend(record: Collection[str] = ()) -> Backend:
    return Backend("numpy", np.dtype(b2.prefs.core.default_float_dtype).name, record=record)


def _fired(result: xr.DataTree, converted: Converted, name: str) -> set[tuple[int, int]]:
    layer = result[f"/layers/{_layer(name)}"]
    step = np.rint(layer.spike_time_ms.values / converted.network.config.dt_seconds / 1e3)
    return set(zip(step.astype(int).tolist(), layer.spike_neuron.values.tolist(), strict=True))


def _layer(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _spikes(spikes: Mapping[str, Any], result: xr.DataTree, converted: Converted) -> dict[str, Any]:
    """Return the numbers of spikes, and of those that only one of both fired."""
    total, other, differing = 0, 0, 0
    for name, monitor in spikes.items():
        if isinstance(monitor.source, _INPUTS):
            continue
        step = np.rint(np.asarray(monitor.t) / converted.network.config.dt_seconds).astype(int)
        expected = set(zip(step.tolist(), np.asarray(monitor.i).tolist(), strict=True))
        found = _fired(result, converted, name)
        total, other = total + len(expected), other + len(found)
        differing += len(expected ^ found)
    outcome = "same spikes" if not differing else "other spikes"
    single = b2.prefs.core.default_float_dtype == np.float32
    return {
        "outcome": outcome, "spikes": total, "spikes_bioae": other, "differing": differing,
        "remark": "single precision" if single else "",
    }  # fmt: skip


def _synaptic(objects: list[Any]) -> dict[str, NDArray[np.float64]]:
    """Return the values of synapses' parameters, by the name of the synapses and theirs."""
    return {
        f"{each.name}.{name}": np.array(each.variables[name].get_value(), float)
        for each in objects if isinstance(each, b2.Synapses)
        for name in sorted(each.equations.parameter_names)
    }  # fmt: skip


def _weights(
    objects: list[Any], before: Mapping[str, NDArray[np.float64]], result: xr.DataTree
) -> dict[str, str]:
    """Return a remark on the weights that both have learned, if they have."""
    learned, worst = result.attrs.get("learned", {}), []
    for name, values in _synaptic(objects).items():
        key, scale = f".{_layer(name.partition('.')[0])}", np.abs(values).max(initial=0)
        found = [each for path, each in learned.items() if path.endswith(key)]
        if found and (before[name] != values).any():
            worst.append(float(np.abs(found[0] - values).max() / scale))
    if not worst:
        return {}
    return {"remark": f"largest relative difference of a weight that learned {max(worst):.1e}"}


def _states(states: Mapping[str, Any], result: xr.DataTree) -> dict[str, Any]:
    """Return the largest difference of a state, of the largest value of its variable."""
    worst = 0.0
    for name, monitor in states.items():
        for variable in monitor.record_variables:
            expected = np.asarray(getattr(monitor, variable))
            found = np.asarray(result[f"/layers/{_layer(name)}"][f"state_{variable}"].values)
            found = found.reshape(-1, expected.shape[0]).T
            scale = np.abs(expected).max() or 1.0
            worst = max(worst, float(np.abs(found - expected).max() / scale))
    places = ((1e-12, "same states"), (1e-9, "close states"), (np.inf, "other states"))
    outcome = next((name for most, name in places if worst <= most), "other states")
    return {"outcome": outcome, "remark": f"no spikes; largest relative difference {worst:.1e}"}


def _statistics(
    whole: b2.Network, objects: list[Any], monitors: tuple[Mapping[str, Any], ...],
    namespace: Mapping[str, Any], length: b2.Quantity,
) -> dict[str, Any]:  # fmt: skip
    """Return whether means differ by 3 standard errors: rates and CV, or states' mean and SD."""
    spikes, states = monitors
    whole.store()
    rows: list[list[float]] = []
    started = time.monotonic()
    for seed in range(_SEEDS[1]):
        if seed >= _SEEDS[0] and time.monotonic() - started > _SECONDS_OF_SEEDS:
            break
        converted = from_brian2(*objects, duration=length, namespace=namespace, seed=seed)
        names = {variable for each in states.values() for variable in each.record_variables}
        result = _run(converted.network, converted.data, names, seed)
        b2.seed(seed)
        whole.run(length, namespace=namespace)
        row = []
        for name, monitor in spikes.items():
            if isinstance(monitor.source, _INPUTS):
                continue
            step = np.rint(np.asarray(monitor.t) / converted.network.config.dt_seconds)
            fired = set(zip(step.tolist(), np.asarray(monitor.i).tolist(), strict=True))
            for each in (fired, _fired(result, converted, name)):
                row += [len(each), _variation(each)]
        for name, monitor in states.items():
            for variable in monitor.record_variables:
                found = result[f"/layers/{_layer(name)}"][f"state_{variable}"].values
                for each in (np.asarray(getattr(monitor, variable)), found):
                    row += [float(each.mean()), float(each.std())]
        rows.append(row)
        whole.restore()
    seeds = len(rows)
    values = np.reshape(rows, (seeds, -1, 2, 2))  # seed, group, script or bioae, measure
    mean, error = values.mean(0), values.std(0, ddof=1) / seeds**0.5
    apart = np.abs(mean[:, 0] - mean[:, 1]) > 3 * np.hypot(error[:, 0], error[:, 1])
    outcome, counts = "other statistics" if apart.any() else "same statistics", mean[:, :, 0].sum(0)
    if states:
        return {"outcome": outcome, "remark": f"no spikes: mean and SD of states, {seeds} seeds"}
    return {
        "outcome": outcome,
        "spikes": round(float(counts[0])), "spikes_bioae": round(float(counts[1])),
        "remark": f"mean of {seeds} seeds; CV {_text(mean[:, 0, 1])} and {_text(mean[:, 1, 1])}",
    }  # fmt: skip


def _text(values: Any) -> str:
    return ", ".join(f"{each:.2f}" for each in values)


def _variation(spikes: Iterable[tuple[float, int]]) -> float:
    """Return the mean coefficient of variation of neurons' intervals; 0 if these are too few."""
    times: dict[int, list[float]] = {}
    for step, neuron in sorted(spikes):
        times.setdefault(neuron, []).append(step)
    intervals = [np.diff(each) for each in times.values() if len(each) > 3]
    if sum(map(len, intervals)) < _FEWEST_INTERVALS:
        return 0.0
    return float(np.mean([each.std() / each.mean() for each in intervals]))


if __name__ == "__main__":
    main()
