"""``bioae simulate``: run a trained network in Brian2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bioae.cli.interrupts import terminated_as_interrupted
from bioae.cli.options import Positive, Seed, Several, Steps, Workers, integer
from bioae.errors import DataError, InputError
from bioae.simulation.backend import Connectivity, Dtype, Target

if TYPE_CHECKING:
    from distributed import Client

    from bioae.datasets import Data
    from bioae.networks.network import Network
    from bioae.simulation import Backend

__all__ = ["images_of", "simulate"]


def simulate(
    model: str,
    /,
    *,
    out: Path,
    data: str = "sample",
    split: Literal["train", "test"] = "test",
    images: Positive | None = None,
    examples: str | None = None,
    repeats: Positive = 1,
    target: Target = "cpp_standalone",
    neuron: str | None = None,
    calibrate: Literal["rate", "psp", "none"] = "rate",
    spread: Several = (),
    background: str | None = None,
    delay: str | None = None,
    compare: bool = False,
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
    """Simulate a trained network in Brian2.

    Parameters
    ----------
    model
        The trained network: a folder, a .zip file, or a name from bioae models list. A path that
        exists takes precedence over a name.
    out
        The netCDF file to write the result to.
    data
        The images: sample, mnist, fashion-mnist, or a path.
    split
        The part of the data set.
    images
        The number of images, starting with the first; all by default.
    examples
        The positions of the images in the data set, such as 3,17.
    repeats
        The number of presentations of each image, with different random input and noise.
    target
        The Brian2 target.
    neuron
        Another neuron model in every layer: a name, or the path of a TOML file. A model that needs
        finer steps gets them; presentations last as long as before.
    calibrate
        Scaling of the model's unit of weight, layer by layer: match the firing rate of the former
        neuron under a constant drive (rate), match the effect of a single spike relative to the
        threshold (psp), or do not scale (none).
    spread
        Let neurons differ in a parameter: tau=0.1 draws a value for each neuron from a log-normal
        distribution with this coefficient of variation, using the seed.
    background
        Noise that every neuron receives, in network weights: 0.1 is Gaussian noise with this
        standard deviation per square root of a millisecond; 0.1,20*Hz are spikes of this weight
        and rate.
    delay
        The delay of spikes between layers, in addition to the one step of every spike: 2*ms.
    compare
        Also run the network without the changes of --neuron, --spread, --background and --delay, at
        the same steps and dt, and print how firing and the scores change.
    connectivity
        The storage of connections: each weight once (shared), or a Brian2 synapse per connection
        (unrolled), which takes far more memory and time. Spikes are the same. Pathways whose
        connections differ in delay are always unrolled.
    steps
        Steps per presentation; those of the network by default.
    dt
        The time step, such as 0.5*ms; that of the network by default.
    dtype
        The type of state variables.
    record
        Variables to record at the end of each step, such as v,w.
    workers
        The number of processes that share the images.
    cluster
        The address of a Dask cluster whose workers share the images instead: tcp://127.0.0.1:8786.
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
    from bioae.cli.changes import changed_network, score_lines
    from bioae.cli.progress import counting
    from bioae.equations.quantities import time_in_seconds
    from bioae.models import load
    from bioae.simulation import Backend, simulate_to
    from bioae.simulation.backend import check_record
    from bioae.simulation.run import check_free, parts_folder

    check_free(out, resume=resume, overwrite=overwrite)
    if dt is not None:
        time_in_seconds(dt, where="--dt")
    time = {"steps": steps, "dt": dt}
    original = load(model).network
    original = original.with_time(**{k: v for k, v in time.items() if v is not None})
    network, message = changed_network(
        original, neuron=neuron, calibrate=calibrate, spread=spread, background=background,
        delay=delay, seed=seed,
    )  # fmt: skip
    if compare and network is original:
        raise InputError(
            "there is no change to compare",
            where="--compare",
            expected="--neuron, --spread, --background or --delay",
        )
    presented = images_of(data, split, images, examples)
    check_record(record, network.config.placed, where="--record")
    if compare and repeats > 1 and not original.config.noisy:
        raise InputError(
            "the unchanged network has no noise, and cannot be compared over repeats",
            where="--compare",
            mend="Leave out --repeats or --compare",
        )
    backend = Backend(target, dtype, connectivity, record)
    with _workers(workers, cluster) as sharing:
        try:
            with terminated_as_interrupted(), counting("simulating") as progress:
                simulate_to(
                    out, network, presented, backend, seed=seed, repeats=repeats, workers=sharing,
                    progress=progress, resume=resume, overwrite=overwrite,
                )  # fmt: skip
        except KeyboardInterrupt:
            if not parts_folder(out).exists():
                raise
            line = "bioae: interrupted; continue with the same command and --resume"
            print(line, file=sys.stderr)
            return 130
        print(out)
        for line in score_lines(out):
            print(line)
        if message:
            print(message)
        if compare:
            backend = Backend(target, dtype, connectivity)
            _compare(out, original, presented, backend, seed=seed, repeats=repeats, workers=sharing)
    return 0


def _compare(
    changed: Path,
    network: Network,
    images: Data,
    backend: Backend,
    *,
    seed: int,
    repeats: int,
    workers: int | Client,
) -> None:
    """Simulate the unchanged network into a temporary file, and print the differences."""
    from bioae.cli.changes import print_change
    from bioae.cli.progress import counting
    from bioae.files import temporary_folder
    from bioae.simulation import simulate_to

    with temporary_folder(changed) as folder:
        unchanged = folder / "unchanged.nc"
        with terminated_as_interrupted(), counting("simulating unchanged") as progress:
            simulate_to(
                unchanged, network, images, backend,
                seed=seed, repeats=repeats, workers=workers, progress=progress,
            )  # fmt: skip
        print_change(unchanged, changed)


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
            mend="Give one of the two: the cluster sets its number of workers",
        )
    from bioae.simulation.workers.dask_cluster import connected

    with connected(cluster) as client:
        yield client


def images_of(
    data: str, split: Literal["train", "test"], count: int | None, examples: str | None
) -> Data:
    """Load images: the first `count`, or those at some positions in the data set.

    Raises
    ------
    DataError
        If there are none, both are given, or a position is repeated or outside the data set.
    """
    from bioae.datasets import load

    if examples is None:
        return load(data, split, count)
    if count is not None:
        raise DataError("--images and --examples exclude each other", mend="Give one of the two")
    places = _positions(examples)
    loaded = load(data, split)
    outside = [place for place in places if not 0 <= place < len(loaded)]
    if outside:
        raise DataError(
            "an example is not in the data set",
            where="--examples",
            expected=f"places from 0 to {len(loaded) - 1}",
            found=str(outside[0]),
        )
    return loaded[places]


def _positions(examples: str) -> list[int]:
    expected = "different places such as 3,17"
    try:
        places = [integer(part.strip()) for part in examples.split(",")]
    except ValueError:
        raise DataError(
            "the examples cannot be read",
            where="--examples",
            expected=expected,
            found=repr(examples),
        ) from None
    repeated = next((place for place in places if places.count(place) > 1), None)
    if repeated is not None:
        raise DataError(
            "an example is repeated",
            where="--examples",
            expected=expected,
            found=f"{repeated} again",
        )
    return places
