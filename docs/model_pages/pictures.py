"""Pictures of a model's page, drawn from stored numbers."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioae.analysis.plots.style import COLOURS, INK, new_figure, styled, to_svg
from bioae.equations import NeuronModel
from bioae.equations.quantities import evaluate
from bioae.files import write_text
from model_pages.description import symbols
from model_pages.typesetting import symbol

_ON = "#eeeeee"
#: With more panels than this, states of one unit share a panel.
_MOST_PANELS = 3


@styled
def responses(model: NeuronModel, numbers: dict[str, Any]) -> Figure:
    """Draw a model's response to a step of drive, next to its f-I curve if it spikes."""
    panels = _panels(model, numbers["step"]["states"])
    figure = new_figure(7.2, 1.3 + 0.85 * len(panels))
    grid = figure.add_gridspec(len(panels), 2, width_ratios=(1, 1.7))
    if "rate" in numbers:
        _draw_rate(figure.add_subplot(grid[:, 0]), numbers)
    first: Axes | None = None
    for row, names in enumerate(panels):
        columns = grid[row, 1] if "rate" in numbers else grid[row, :]
        axes = figure.add_subplot(columns, sharex=first)
        _draw_states(axes, numbers["step"], names)
        axes.tick_params(labelbottom=row == len(panels) - 1)
        first = first or axes
    assert first is not None  # a model has a state
    _draw_spikes(first, numbers["step"]["spikes_ms"])
    first.set_title(f"A step of drive: {numbers['step']['drive_per_ms']:.3g} per ms")
    axes.set_xlabel("time (ms)")
    figure.align_ylabels()
    return figure


@styled
def thumbnail(numbers: dict[str, Any]) -> Figure:
    """Draw a model's f-I curve without axes, for a table."""
    figure = Figure(figsize=(1.1, 0.55))
    axes = figure.add_axes((0.03, 0.05, 0.94, 0.9))
    axes.plot(numbers["rate"]["drive_per_ms"], numbers["rate"]["rate_hz"], color=COLOURS[0])
    axes.set(xticks=[], yticks=[])
    return figure


def mark(numbers: dict[str, Any]) -> str:
    """Return a comment with the hash of the numbers from which a picture is drawn."""
    curves = {key: numbers.get(key) for key in ("rate", "step")}
    text = hashlib.sha256(json.dumps(curves, sort_keys=True).encode()).hexdigest()
    return f"<!-- drawn from numbers with SHA-256 {text} -->"


def save(path: Path, figure: Figure, numbers: dict[str, Any]) -> None:
    """Write a picture with the comment of `mark`."""
    svg = to_svg(figure, decimals=2)  # finer than any screen
    write_text(path, f"{svg}{mark(numbers)}\n", overwrite=True)


def _panels(model: NeuronModel, states: dict[str, Any]) -> list[list[str]]:
    """Return the states of each panel; the variable of the threshold has the first panel."""
    decisive = re.findall(r"\w+", model.threshold or model.input)
    in_file = [row.name for row in symbols(model)]
    moving = [name for name, state in states.items() if len(set(state["values"])) > 1]
    first, *others = sorted(moving or states, key=(decisive + in_file).index)
    if len(others) < _MOST_PANELS:
        return [[first], *([name] for name in others)]
    units = dict.fromkeys(states[name]["unit"] for name in others)
    return [[first], *([n for n in others if states[n]["unit"] == unit] for unit in units)]


def _draw_rate(axes: Axes, numbers: dict[str, Any]) -> None:
    axes.plot(numbers["rate"]["drive_per_ms"], numbers["rate"]["rate_hz"], color=COLOURS[0])
    axes.axvline(numbers["step"]["drive_per_ms"], color=INK, linewidth=0.6, linestyle=":")
    axes.set(xlabel="drive (network weight per ms)", ylabel="firing rate (Hz)", title="f-I curve")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)


def _draw_states(axes: Axes, step: dict[str, Any], names: list[str]) -> None:
    off, on, _ = step["off_on_off_ms"]
    axes.axvspan(off, off + on, color=_ON, linewidth=0)
    unit = _unit([step["states"][name] for name in names])
    for name, colour in zip(names, COLOURS, strict=False):
        values = np.asarray(step["states"][name]["values"]) / float(unit or 1)
        axes.plot(step["time_ms"], values, color=colour, linewidth=1.0, label=f"${symbol(name)}$")
    written = f" ({unit})" if unit is not None else ""
    if len(names) == 1:
        axes.set_ylabel(f"${symbol(names[0])}${written}")
    else:
        axes.set_ylabel(written.strip(" ()"))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handlelength=1)
    axes.set_xlim(0, sum(step["off_on_off_ms"]))
    axes.margins(y=0.12)


def _unit(states: list[dict[str, Any]]) -> Any:
    """Return the unit in which values are easiest to read; None without units."""
    if states[0]["unit"] == "1":
        return None
    largest = max(abs(value) for state in states for value in state["values"])
    return (largest * evaluate(states[0]["unit"], where="a stored unit")).get_best_unit()


def _draw_spikes(axes: Axes, times: list[float]) -> None:
    # Above the traces: a tick for each spike.
    axes.plot(
        times, [1.03] * len(times), "|", color=COLOURS[1], markersize=4, markeredgewidth=0.8,
        transform=axes.get_xaxis_transform(), clip_on=False,
    )  # fmt: skip
