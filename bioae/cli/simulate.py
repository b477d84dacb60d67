"""``bioae simulate``: run a trained network in Brian2 on images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from bioae.cli.interrupts import terminated_as_interrupted
from bioae.cli.options import Natural, Positive, Several

if TYPE_CHECKING:
    from bioae.datasets import Images
    from bioae.networks.network import Network
    from bioae.simulation.to_file import Options

__all__ = ["images_of", "simulate"]


def simulate(
    model: Path,
    /,
    *,
    out: Path,
    data: str = "sample",
    split: Literal["train", "test"] = "test",
    images: Positive | None = None,
    examples: str | None = None,
    target: Literal["numpy", "cython", "cpp_standalone", "cuda_standalone"] = "cpp_standalone",
    neuron: str | None = None,
    calibrate: Literal["rate", "psp", "none"] = "rate",
    spread: Several = (),
    background: str | None = None,
    delay: str | None = None,
    compare: Annotated[bool, Parameter(negative="--no-compare")] = True,
    connectivity: Literal["shared", "unrolled"] = "shared",
    steps: Positive | None = None,
    dt: str | None = None,
    dtype: Literal["float64", "float32"] = "float64",
    record: Several = (),
    workers: Positive = 1,
    cluster: str | None = None,
    seed: Natural = 0,
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Run a trained network in Brian2 on images.

    Parameters
    ----------
    model
        The trained network: a folder or a .zip file.
    out
        The file to write the result to, netCDF.
    data
        The images: sample, mnist, fashion-mnist, or a path.
    split
        Which part of them.
    images
        How many, from the first on; all by default.
    examples
        Which, by their places in the data set: 3,17.
    target
        Where Brian2 runs it.
    neuron
        Another neuron model in every layer: a name, or the path of a TOML file. One that needs
        finer steps is given them, in a presentation that lasts as long.
    calibrate
        How its unit of weight is scaled, layer by layer: so that its firing rate under a constant
        drive is that of the former neuron (rate), so that a single spike takes it as far towards
        its threshold (psp), or not at all (none).
    spread
        Let neurons differ in a parameter: tau=0.1 draws each one's from a log-normal distribution
        with this coefficient of variation, from the seed.
    background
        Noise that every neuron receives, in network weights: 0.1 is Gaussian, with this standard
        deviation a square root of a millisecond; 0.1,20*Hz are spikes of this weight and rate.
    delay
        How long spikes travel between layers beyond the one step that they take: 2*ms.
    compare
        With one of these changes, run the network without it too, and print what changed.
    connectivity
        How connections are stored: each weight once (shared), or one Brian2 synapse for each
        connection (unrolled), which takes far more memory and time. Spikes are the same.
        Connections with delays of their own are always unrolled.
    steps
        Steps of a presentation, if not the network's own.
    dt
        The time step, such as 0.5*ms, if not the network's own.
    dtype
        The type of state variables.
    record
        Variables to record at the end of each step.
    workers
        Processes that share the images.
    cluster
        The address of a Dask cluster whose workers share the images instead: tcp://127.0.0.1:8786.
    seed
        Seeds random input.
    resume
        Go on with a run that was interrupted, from what it finished; if it finished nothing, from
        the start.
    overwrite
        Replace an existing result, or what an interrupted run finished.

    Returns
    -------
    int
        The exit status: 0 done, 130 interrupted.
    """
    from bioae.cli.changes import background_of, print_change, spread_of, with_neuron
    from bioae.cli.progress import counting
    from bioae.networks import artefact
    from bioae.simulation.to_file import check_free, parts_beside, simulate_to

    check_free(out, resume=resume, overwrite=overwrite)
    time = {"steps": steps, "dt": dt}
    original = artefact.load(model).network
    original = original.with_time(**{k: v for k, v in time.items() if v is not None})
    network, said = original, ""
    if neuron is not None:
        network, said = with_neuron(original, neuron, calibrate)
    spreads, noise = spread_of(spread), background_of(background)
    shown = images_of(data, split, images, examples)
    _check_record(network, record)
    options: Options = {
        "target": target, "seed": seed, "dtype": dtype, "workers": workers, "cluster": cluster,
        "connectivity": connectivity,
    }  # fmt: skip
    changed_options: Options = {
        **options, "record": record, "spread": spreads, "background": noise, "delay": delay,
    }  # fmt: skip
    try:
        with terminated_as_interrupted(), counting("simulating") as progress:
            simulate_to(
                out, network, shown, resume=resume, overwrite=overwrite, progress=progress,
                **changed_options,
            )  # fmt: skip
    except KeyboardInterrupt:
        if not parts_beside(out).exists():
            raise
        print("bioae: interrupted; go on with the same command and --resume", file=sys.stderr)
        return 130
    print(out)
    changed = neuron is not None or delay is not None or noise is not None or bool(spreads)
    if changed and compare:
        from bioae.analysis import open_result
        from bioae.simulation import simulate as run

        with counting("simulating it unchanged") as progress:
            before = run(original, shown, progress=progress, **options)
        print_change(before, open_result(out), said)
    elif said:
        print(said)
    return 0


def images_of(
    data: str, split: Literal["train", "test"], count: int | None, examples: str | None
) -> Images:
    """Load images, the first `count` of them or those whose places are given.

    Raises
    ------
    DataError
        If there are none, both are given, or a place is repeated or not in the data set.
    """
    from bioae.datasets import load
    from bioae.errors import DataError

    if examples is None:
        return load(data, split, count)
    if count is not None:
        raise DataError("--images and --examples exclude each other", mend="Give one of the two")
    places = _places(examples)
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


def _places(examples: str) -> list[int]:
    from bioae.errors import DataError

    expected = "different places such as 3,17"
    try:
        places = [int(part) for part in examples.split(",")]
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


def _check_record(network: Network, record: Several) -> None:
    from bioae.errors import InputError

    known = {name for placed in network.config.placed for name in placed.program.states}
    for name in record:
        if name not in known:
            raise InputError(
                f"no layer has a variable {name!r}",
                where="--record",
                expected=f"one of {', '.join(sorted(known))}",
            )
