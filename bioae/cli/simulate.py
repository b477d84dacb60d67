"""``bioae simulate``: run a trained network in Brian2 or PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from bioae.cli.options import Positive, Seed, Several, Sizes, Split, Steps, Workers
from bioae.cli.presented import presented
from bioae.errors import InputError
from bioae.simulation.backend import Connectivity, Dtype, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from distributed import Client

    from bioae.datasets import Data
    from bioae.networks.network import Network
    from bioae.runs.assessment import Baseline


def simulate(
    model: str,
    /,
    *,
    out: Path,
    data: str | None = None,
    split: Split = "test",
    limit: Positive | None = None,
    examples: Sizes = (),
    layout: str | None = None,
    white: float | None = None,
    sensor: Sizes = (),
    time_unit: Literal["us", "ms", "s", "step"] | None = None,
    repeats: Positive = 1,
    target: Target = "cpp_standalone",
    neuron: str | None = None,
    calibrate: Literal["rate", "psp", "none"] | None = None,
    own_parameters: bool = False,
    parameter: Several = (),
    spread: Several = (),
    background: str | None = None,
    delay: str | None = None,
    compare: bool = False,
    adapt: Positive | None = None,
    connectivity: Connectivity = "shared",
    steps: Steps | None = None,
    dt: str | None = None,
    dtype: Dtype = "float64",
    record: Several = (),
    workers: Workers = 1,
    cluster: str | None = None,
    seed: Seed = 0,
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Simulate a trained network in Brian2 or PyTorch.

    Parameters
    ----------
    model
        The trained network: a folder, a .zip file, or a name from bioae networks list. A path that
        exists takes precedence over a name.
    out
        The netCDF file to write the result to.
    data
        The data: sample, the default, mnist, fashion-mnist, or a path.
    split
        The part of the data set.
    limit
        The number of examples, starting with the first; all by default.
    examples
        The positions of the examples in the data set, such as 3,17.
    layout
        The axes of the array in an .npy file, in order, such as NHWC: examples, rows, columns,
        channels.
    white
        The value of a pixel of full intensity in an .npy file, such as 255.
    sensor
        The columns, rows and polarities of the sensor of recorded events, such as 34,34,2.
    time_unit
        The unit of the times of recorded events; us by default.
    repeats
        The number of presentations of each example, with different random input and noise.
    target
        The target: one of Brian2's, or torch.
    neuron
        Another neuron model in every layer that fires: a name, or the path of a TOML file. A model
        that needs finer steps gets them; presentations last as long as before.
    calibrate
        Scaling of the model's unit of weight, layer by layer: match the firing rate of the former
        neuron under a constant drive (rate, the default), match the effect of a single spike
        relative to the threshold (psp), or do not scale (none).
    own_parameters
        Let all parameters have the values of the new model. Otherwise those that the former neuron
        has too, by name and unit, keep the values that were trained or set in their layer.
    parameter
        Another value of a parameter, in all layers whose neurons have it: ``tau=10*ms``; in one
        layer: ``latent.tau=10*ms``. It replaces the trained value.
    spread
        Let neurons differ in a parameter: tau=0.1 draws a value for each neuron from a log-normal
        distribution with this coefficient of variation, using the seed.
    background
        Noise that every neuron receives, in network weights: 0.1 is Gaussian noise with this
        standard deviation per square root of a millisecond; ``0.1,20*Hz`` are spikes of this weight
        and rate.
    delay
        The delay of spikes between layers, in addition to the one step of every spike: ``2*ms``.
    compare
        Also run the network without the changes of --neuron, --parameter, --spread, --background
        and --delay, at the same steps and dt, and print how firing and the scores change; with the
        score of the mean training image, or of chance.
    adapt
        Train the changed network on this number of presentations of the data's training split, and
        simulate the adapted network, which is stored in a folder next to the result: r.adapted for
        r.nc. It needs PyTorch.
    connectivity
        The storage of connections: each weight once (shared), or a Brian2 synapse per connection
        (unrolled), which takes far more memory and time. Spikes are the same. Pathways whose
        connections differ in delay are always unrolled.
    steps
        Steps per presentation; those of the network by default.
    dt
        The time step, such as ``0.5*ms``; that of the network by default. Signals last as long as
        before: they take more steps, with as much input per millisecond. Images have as many steps
        as before, with as much input in each.
    dtype
        The type of state variables.
    record
        Variables to record at the end of each step, such as v,w.
    workers
        The number of processes that share the examples.
    cluster
        The address of a Dask cluster whose workers share the examples instead: tcp://127.0.0.1:8786.
    seed
        The seed of random input, noise and the spread.
    resume
        Continue an interrupted run, if there is one.
    overwrite
        Replace an existing result, or the finished chunks of an interrupted run; no other file is
        replaced.

    Returns
    -------
    int
        The exit status: 0 done, 130 interrupted.
    """
    from dataclasses import replace
    from functools import cache, partial

    from bioae.api import simulate_to
    from bioae.cli.changes import changed, print_change, score_lines, with_neuron
    from bioae.cli.tables import print_wrapped
    from bioae.simulation import Backend
    from bioae.simulation.backend import recorded
    from bioae.simulation.run import check_free, parts_folder

    check_free(out, resume=resume, overwrite=overwrite)
    original, duration = _loaded(model, steps=steps, dt=dt)
    network, message = with_neuron(original, neuron, calibrate, copy=not own_parameters)
    network = changed(
        network, parameters=parameter, spread=spread, background=background, delay=delay, seed=seed
    )
    if compare or adapt:
        _check_changed(original, network, "--compare" if compare else "--adapt")
    if compare:
        _check_comparison(original, repeats)
    form: dict[str, Any] = {
        "layout": layout, "white": white, "sensor": sensor or None, "time_unit": time_unit,
    }  # fmt: skip
    loaded = presented(
        network.config, data, split=split, limit=limit, examples=examples or None, **form
    )
    training = cache(partial(presented, network.config, data, split="train", **form))
    recorded(record, network.config.placed, where="--record")
    with _workers(workers, cluster) as sharing:
        backend = Backend(target, dtype, connectivity, record, workers=sharing)
        options: dict[str, Any] = {"seed": seed, "repeats": repeats}
        simulated, adapted, folder = network, "", out.with_suffix(".adapted")
        try:
            continued: dict[str, Any] = {"resume": resume, "overwrite": overwrite}
            if adapt is not None:
                into: dict[str, Any] = {"out": folder, "seed": seed, **continued}
                from bioae.cli.epochs import shown_progress
                from bioae.trainers import adapt as adapt_to

                into["progress"] = shown_progress()
                ran = adapt_to(network, original, training(), presentations=adapt, **into)
                simulated, adapted = ran.network, f"Adapted on {adapt:,} presentations: {ran.model}"
                adapted += _seen(training(), loaded)
            simulate_to(out, simulated, loaded, backend, **options, **continued)
        except KeyboardInterrupt:
            if not parts_folder(out).exists() and not (adapt and folder.exists()):
                raise
            line = "bioae: interrupted; continue with the same command and --resume"
            print(line, file=sys.stderr)
            return 130
        print(out)  # on one line, so that it can be copied
        for line in filter(None, (*score_lines(out, network), duration, message, adapted)):
            print_wrapped(line, indent=2)
        if compare:
            networks = {"before": original, **({"after": network} if adapt else {})}
            with TemporaryDirectory(prefix=".bioae-", dir=out.parent) as temporary:
                results = {name: Path(temporary) / f"{name}.nc" for name in networks}
                for name, each in networks.items():
                    simulate_to(results[name], each, loaded, replace(backend, record=()), **options)
                results["adapted" if adapt else "after"] = out
                print_change(results, _baseline(network, loaded, training))
    return 0


def _seen(training: Data, scored: Data) -> str:
    """Return a note where a network is scored on the examples that it was trained on."""
    return " (its scores are of training data)" if training.split == scored.split else ""


def _baseline(network: Network, held: Data, training: Callable[[], Data]) -> Baseline | None:
    """Return the score to beat; None without a training split, or without targets."""
    from bioae.errors import DataError
    from bioae.runs.assessment import baseline

    task = network.config.task
    if task.target == "labels" and held.labels is None:
        return None
    try:
        return baseline(task, training(), held, network.config.steps)
    except DataError:
        return None


def _loaded(model: str, *, steps: int | None, dt: str | None) -> tuple[Network, str]:
    """Return a trained network with the steps that options ask for, and a line on its duration."""
    from bioae.equations.quantities import time_in_seconds
    from bioae.networks.artefact import load

    if dt is not None:
        time_in_seconds(dt, where="--dt")
    time = {"steps": steps, "dt": dt}
    trained = load(model).network
    network = trained.with_time(**{name: each for name, each in time.items() if each is not None})
    before, after = (
        each.config.steps * each.config.dt_seconds * 1e3 for each in (trained, network)
    )
    if dt is None or round(before / after, 9) == 1:
        return network, ""
    return network, (
        f"Presentations last {after:g} ms, {before:g} ms before: {network.config.steps} steps of "
        f"{network.config.dt_seconds * 1e3:g} ms, with as much input in each step"
    )


def _check_changed(original: Network, changed: Network, option: str) -> None:
    """Reject an option for changed networks without a change."""
    if changed is original:
        raise InputError(
            "there is no change to the network", where=option,
            expected="--neuron, --parameter, --spread, --background or --delay",
        )  # fmt: skip


def _check_comparison(original: Network, repeats: int) -> None:
    """Reject a comparison over repeats of a network without noise."""
    if repeats > 1 and not original.config.noisy:
        raise InputError(
            "the unchanged network has no noise, and cannot be compared over repeats",
            where="--compare", hint="Leave out --repeats or --compare",
        )  # fmt: skip


@contextmanager
def _workers(workers: int, cluster: str | None) -> Iterator[int | Client]:
    """Yield the workers of a simulation: a number, or the client of a cluster."""
    if cluster is None:
        yield workers
        return
    if workers != 1:
        raise InputError(
            "workers and a cluster exclude each other",
            found=f"workers {workers}, cluster {cluster}",
            hint="Give one of the two: the cluster sets its number of workers",
        )
    from bioae.simulation.workers.dask_cluster import connected

    with connected(cluster) as client:
        yield client
