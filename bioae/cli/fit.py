"""``bioae fit``: fit a neuron model's parameters to a recording."""

from __future__ import annotations

import json as json_format
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioae.cli.options import Json, Positive, Seed, Several, assigned, check_effect
from bioae.errors import InputError

if TYPE_CHECKING:
    from bioae.recordings import Recording
    from bioae.trainers.fitting import Fit

_TABLES = (".csv", ".tsv", ".txt")


def fit(
    neuron: str,
    recording: Path,
    /,
    *,
    free: Several = (),
    known: Several = (),
    out: Path | None = None,
    report: Path | None = None,
    input: str | None = None,  # noqa: A002 - the option's name
    voltage: str | None = None,
    spikes: Path | None = None,
    column: Several = (),
    unit: Several = (),
    dt: str | None = None,
    resample: str | None = None,
    split: str | None = None,
    leave_out: Several = (),
    lapse: float = 0.01,
    coincidence: str | None = None,
    starts: Positive = 20,
    seed: Seed = 0,
    json: Json = False,
    overwrite: bool = False,
) -> int:
    """Fit a neuron model's parameters to a recording, by gradient.

    Prints each parameter with its standard error, what the recording does not determine, and how
    well the freely running neuron agrees with the recording. It needs PyTorch and a C++ compiler.

    Parameters
    ----------
    neuron
        The neuron model: a name, or the path of a TOML file.
    recording
        Input, spikes and potential of a cell: a table (.csv, .tsv, .txt), .nwb, or a file of Axon
        (.abf) and others that Neo reads. A table has a row per time step, and columns such as
        time (ms), input (pA), voltage (mV), spikes (1 in steps with a spike) and trial.
    free
        The free parameters, with bounds or those of the model: ``'tau,theta=[-60*mV,-40*mV]'``. By
        default all of its [trainable]. Further names: gain, offset and latency of the input;
        and, without bounds, width of the noise that makes spikes likely, and kalman_gain, for a
        potential with membrane noise.
    known
        Values of gain, offset, latency, width or kalman_gain that are not free: ``'gain=2*nA'``.
    out
        The TOML file of the fitted neuron model to write.
    report
        The page with tables and figures to write, such as fit.html.
    input
        The parameter or variable of the model that the recorded input replaces; by default the
        only one of its unit.
    voltage
        The variable of the model that is compared with the recorded potential; v by default.
    spikes
        A text file of spike times in seconds, one per line, in place of those of the recording.
    column
        Other names of columns or series in the file: ``input=I_inj,voltage=Vm``.
    unit
        Units that a table lacks: ``input=pA,time=ms``.
    dt
        The time step of a table without a column of times: ``'0.1*ms'``.
    resample
        Another time step, to which the recording is resampled.
    split
        The time up to which the recording is fitted; the rest is a test: ``'7*second'``.
    leave_out
        Times of the fitted part that do not count, such as an artefact: ``'[0*ms,20*ms]'``.
    lapse
        The probability that an interval between spikes is one at random, such as after a missed
        spike; 0: none is.
    coincidence
        Choose, among the parameters near the most likely ones, those whose free run has the largest
        coincidence factor with the recorded spikes, to this precision: ``'4*ms'``.
    starts
        The number of points from which the search starts.
    seed
        The seed of these points.
    overwrite
        Replace existing outputs.
    """
    from bioae import api
    from bioae.files import check_output, write_text

    for path in filter(None, (out, report)):
        check_output(path, overwrite=overwrite, kind="file")
    expected = "a name and its value, such as gain=2*nA"
    values = assigned(known, str, where="--known", expected=expected)
    whole = _opened(recording, column, unit, dt)
    whole = whole if spikes is None else whole.with_spikes(_times(spikes))
    whole = whole if resample is None else whole.resampled(resample)
    part = whole if split is None else whole.split(split)[0]
    fitted = api.fit(
        neuron, part, _free(free), input=input, voltage=voltage, starts=starts, seed=seed,
        known=values, coincidence=coincidence, lapse=lapse,
        leave_out=[_pair(each, where="--leave-out") for each in leave_out],
    )  # fmt: skip
    scores = {"fit": fitted.scores()}
    if split is not None:
        scores["test"] = fitted.scores(whole, after=split)
    if out is not None:
        write_text(out, fitted.neuron.to_toml(), overwrite=overwrite)
    if report is not None:
        test = None if split is None else whole
        profiles = [*fitted.parameters]
        fitted.report(report, test, after=split, profiles=profiles, overwrite=overwrite)
    if json:
        print(json_format.dumps(_numbers(fitted, scores), allow_nan=False))
    else:
        _print(fitted, scores, out, report)
    return 0


def _opened(path: Path, column: Sequence[str], unit: Sequence[str], dt: str | None) -> Recording:
    """Return the recording of a file."""
    from bioae.checks import one_of
    from bioae.recordings import Recording

    expected = "a part and its column, such as input=I_inj"
    columns: dict[str, Any] = assigned(column, str, where="--column", expected=expected)
    if path.suffix.lower() in _TABLES:
        units = assigned(unit, str, where="--unit", expected="a part and its unit, as input=pA")
        return Recording.open(path, dt=dt, units=units, **columns)
    check_effect(f"{path.name} is no table", dt=dt, unit=unit)
    for name in columns:
        one_of(name, "the name of a part", ["input", "voltage", "spikes"])
    if path.suffix.lower() == ".nwb" and columns.get("spikes", "").isdigit():
        columns["spikes"] = int(columns["spikes"])
    return Recording.open(path, **columns)


def _times(path: Path) -> Any:
    """Return the numbers of a text file."""
    import numpy as np

    from bioae.inputs import as_path

    try:
        return np.loadtxt(as_path(path, InputError, "spikes"), ndmin=1)
    except (OSError, ValueError) as error:
        raise InputError(
            "the spike times cannot be read", where=str(path), expected="a number per line",
            found=str(error),
        ) from error  # fmt: skip


def _free(texts: Sequence[str]) -> dict[str, tuple[str, ...] | None] | None:
    """Return the bounds by name of ``tau`` and ``theta=[-60*mV,-40*mV]``; None: the model's."""
    bounds: dict[str, tuple[str, ...] | None] = {}
    for text in texts:
        name, equals, pair = map(str.strip, text.partition("="))
        if not name or name in bounds:
            problem = "a name is there twice" if name else "a name is missing"
            raise InputError(problem, where="--free", found=repr(text))
        bounds[name] = _pair(pair, where=f"--free {name}") if equals else None
    return bounds or None


def _pair(text: str, where: str) -> tuple[str, ...]:
    """Return the ends of ``[0*ms,20*ms]``."""
    ends = [each.strip() for each in text.strip()[1:-1].split(",")]
    if text.strip()[:1] + text.strip()[-1:] != "[]" or len(ends) != 2 or not all(ends):
        raise InputError(
            "these are not two values", where=where, found=repr(text),
            expected="brackets around them, such as theta=[-60*mV,-40*mV] or [0*ms,20*ms]",
        )  # fmt: skip
    return tuple(ends)


def _numbers(fitted: Fit, scores: Any) -> dict[str, Any]:
    """Return a fit as plain data."""
    names = ("loss", "log_likelihood", "aic", "voltage_noise", "agreeing", "seconds")
    numbers = {
        "neuron": fitted.neuron.name, "parameters": fitted.table.to_dataframe().to_dict("index"),
        "scores": scores, "starts": fitted.starts.sizes["start"],
        **{name: getattr(fitted, name) for name in names}, "notes": fitted.notes(),
    }  # fmt: skip
    return {name: _defined(each) for name, each in numbers.items()}


def _defined(value: Any) -> Any:
    """Return plain data with None in place of numbers that are not finite."""
    if isinstance(value, Mapping):
        return {name: _defined(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print(
    fitted: Fit, scores: Mapping[str, Mapping[str, float]], out: Path | None, report: Path | None
) -> None:
    from rich.console import Console

    from bioae.analysis import as_table
    from bioae.cli.tables import print_table, print_wrapped

    print(fitted)
    for line in fitted.notes():
        print_wrapped(line, indent=2)
    rows = [
        {"": name, **{part: values.get(name) for part, values in scores.items()}}
        for name in dict.fromkeys(name for values in scores.values() for name in values)
    ]
    print()
    print_table(as_table("Agreement of the free run", rows), Console())
    if out is not None:
        print(out)
        print_wrapped(f"Does it fire the same in Brian2 and PyTorch: bioae parity {out}", indent=2)
        line = f"bioae simulate sae-mnist-leaky --neuron {out} --adapt 2000 --out swapped.nc"
        print_wrapped(f"In a trained network: {line}", indent=2)
    if report is not None:
        print(f"Report: {report}")
