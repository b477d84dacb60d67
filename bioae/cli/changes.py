"""Changes of a network for a simulation: read from options, applied, and compared."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bioae.cli.options import assigned, check_effect
from bioae.errors import InputError, NetworkError

if TYPE_CHECKING:
    from xarray import DataTree

    from bioae.networks.network import Network
    from bioae.responses.calibration import Calibration
    from bioae.runs.assessment import Baseline

#: Headings of the printed table, and their numbers.
_COLUMNS = {"Hz": "rate_hz_mean", "dead": "dead_fraction", "bursting": "bursting_fraction"}


def with_neuron(
    network: Network, neuron: str | None, calibrate: Calibration | None, *, copy: bool
) -> tuple[Network, str]:
    """Return a network with another neuron, if one is given, and a line about its weights."""
    if neuron is None:
        check_effect("without --neuron no weights are scaled", calibrate=calibrate)
        check_effect("without --neuron parameters stay", own_parameters=not copy)
        return network, ""
    by = calibrate or "rate"
    factors = network.calibration_factors(neuron, by, copy=copy)
    other = network.with_neuron(neuron, calibrate=factors, copy=copy)
    texts = {name: f"{factor:.3g}" for name, factor in factors.items()}
    text = next(iter(texts.values()))
    if len(set(texts.values())) > 1:
        text = ", ".join(f"{factor} ({name})" for name, factor in texts.items())
    scaling = {
        "rate": f"times {text}, so that f-I curves match",
        "psp": f"times {text}, so that single spikes match",
        "none": "as they are",
    }
    message = f"Weights of {other.config.neuron}: {scaling[by]}"
    kept = [placed for placed in other.config.placed if placed.name not in factors]
    if kept:
        names = ", ".join(f"{placed.name} ({placed.model.name})" for placed in kept)
        message += f"; unchanged, because it never fires: {names}"
    old, new = ((each.dt_seconds * 1e3, each.steps) for each in (network.config, other.config))
    if new != old:  # said before the simulation, not after it
        line = "dt %g ms, %d steps in place of %g ms, %d, as %s asks: %.3g times the steps"
        times = new[1] / old[1]
        logging.getLogger("bioae").info(line, *new, *old, other.config.neuron, times)
    return other, message


def changed(
    network: Network,
    *,
    parameters: Sequence[str],
    spread: Sequence[str],
    background: str | None,
    delay: str | None,
    seed: int,
) -> Network:
    """Return a network with the changes that options of `bioae simulate` request.

    The network itself is returned where there are none. Raise InputError if an option cannot be
    read, or NetworkError if a change does not fit.
    """
    expected = "a parameter and its value, such as tau=10*ms or latent.tau=10*ms"
    values = assigned(parameters, str, where="--parameter", expected=expected)
    expected = "a parameter and its coefficient of variation, such as tau=0.1"
    coefficients = assigned(spread, float, where="--spread", expected=expected)
    # Values of one layer come last, whatever the order of the options.
    for name, value in sorted(values.items(), key=lambda item: "." in item[0]):
        layer, _, parameter = name.rpartition(".")
        layers = [layer] if layer else None
        network = network.with_parameters({parameter: value}, layers=layers)
    if coefficients:
        network = network.with_spread(coefficients, seed=seed)
    if background is not None:
        with _naming("--background"):
            network = network.with_background(_background(background))
    if delay is not None:
        with _naming("--delay"):
            network = network.with_delay(delay)
    return network


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Name an option, in place of a key of a layer, in errors of its change."""
    try:
        yield
    except NetworkError as error:
        raise error.at(option) from error


def _background(text: str) -> float | tuple[float, str]:
    """Read a background such as ``0.1``, or ``0.1,20*Hz``."""
    number, comma, rate = text.partition(",")
    try:
        return (float(number), rate) if comma else float(number)
    except ValueError:
        raise InputError(
            "the background cannot be read", where="--background",
            expected="a standard deviation such as 0.1, or a weight and a rate such as 0.1,20*Hz",
            found=repr(text),
        ) from None  # fmt: skip


def print_change(results: Mapping[str, Path], baseline: Baseline | None) -> None:
    """Print how firing and the scores of the task differ between results.

    The first by name is that of the unchanged network.
    """
    from rich.console import Console

    from bioae.analysis import as_table, firing_change, layer_names, open_result, presentations
    from bioae.analysis.results.layers import readout_note
    from bioae.cli.tables import print_table, print_wrapped
    from bioae.firing_names import bursting_note

    with ExitStack() as stack:
        trees = {
            name: presentations(stack.enter_context(open_result(path, lazy=True)))
            for name, path in results.items()
        }
        lines = _score_lines(trees, baseline)
        old, *others = trees.values()
        changes = [firing_change(old, each) for each in others]
        layers = changes[-1]["layer"].to_numpy()
        shown = [(changes[-1], "before"), *((each, "after") for each in changes)]
        left_out = [each for each in layer_names(old) if each not in layers]
    columns, note = _COLUMNS, bursting_note(min(float(t.attrs["dt_ms"]) for t in trees.values()))
    if note and not any(each[f"bursting_fraction_{when}"].any() for each, when in shown):
        columns = {heading: name for heading, name in columns.items() if heading != "bursting"}
        lines.append(note)
    rows = [
        {
            "layer": str(layer), "": name,
            **{
                head: float(each[f"{key}_{when}"].sel(layer=layer)) for head, key in columns.items()
            },
        }
        for layer in layers
        for name, (each, when) in zip(trees, shown, strict=True)
        if layer in each["layer"]
    ]  # fmt: skip
    if left_out:
        lines.append(readout_note(left_out))
    for line in lines:
        print_wrapped(line, indent=2)
    if rows:
        *names, last = results
        print_table(as_table(f"Firing {', '.join(names)} and {last}", rows), Console())


def score_lines(path: Path, network: Network) -> list[str]:
    """Return a line for each score of a network's result, if the task is not reconstruction."""
    if network.config.task.kind == "reconstruction":
        return []
    from bioae.analysis import open_result, presentations, scores
    from bioae.analysis.results.outputs import targets_known

    with open_result(path, lazy=True) as opened:
        result = presentations(opened)
        if not targets_known(result):
            return []
        found = scores(result)
    rows = found.to_dataframe().itertuples()
    examples = f"{found.attrs['examples']:,} examples"
    return [
        f"{row.label}: {row.value:.4g}"
        + ("" if row.low != row.low else f" (95 % interval {row.low:.4g} to {row.high:.4g})")
        + (f", {examples}" if place == 0 else "")
        for place, row in enumerate(rows)
    ]


def _score_lines(trees: Mapping[str, DataTree], baseline: Baseline | None) -> list[str]:
    """Return lines on the scores of results by name, none where the targets are not known."""
    from bioae.analysis import scores
    from bioae.analysis.results.outputs import targets_known, task_of

    first = next(iter(trees.values()))
    reconstructs = task_of(first) == "reconstruction"
    if not (reconstructs or targets_known(first)):
        return []
    found = [scores(tree) for tree in trees.values()]
    labels = ["Squared error per image"] if reconstructs else found[0]["label"].to_numpy()
    lines = []
    for place, label in enumerate(labels):
        values = [float(each["value"][place]) for each in found]
        parts = [f"{value:.4g} {name}" for name, value in zip(trees, values, strict=True)]
        if reconstructs and values[0]:
            parts[-1] += f" ({100 * (values[-1] / values[0] - 1):+.0f} %)"
        if baseline is not None and place == 0:
            parts.insert(0, f"{baseline.value:.4g} {baseline.predictor}")
        lines.append(f"{label}: {', '.join(parts)}")
    return lines
