"""Fits to recordings: recorded and predicted activity, ends of a search, and profiles of a loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bioae.analysis.plots.panels import Places, figure_of, head, panels, share_legend
from bioae.analysis.plots.sources import needed
from bioae.analysis.plots.style import INK, MANY_STEPS, colour_of, is_wide, log_axis, styled
from bioae.analysis.results.monitors import length_ms
from bioae.checks import whole
from bioae.errors import ResultError
from bioae.unit_text import unit_name

#: Seconds of a longer recording that are drawn by default, and those before the first spike.
_SHOWN_S, _BEFORE_S = 1.0, 0.1
#: The loss above the smallest one at the ends of a 95 % interval, half the quantile of chi squared.
_INTERVAL = 1.92

_SYMBOLS = {
    "second": "s", "volt": "V", "amp": "A", "ohm": "Ω", "siemens": "S", "farad": "F", "hertz": "Hz",
}  # fmt: skip
_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
_HINT = "Give fit.starts, or fit.profile(NAME) of a parameter"


@styled
def recordings(
    recorded: Any,
    predicted: Any = None,
    *,
    trial: int = 0,
    window: tuple[Any, Any] | None = None,
    ax: Places | None = None,
) -> Figure:
    """Draw a recording and its prediction: input and potential of a trial, spikes of all trials.

    Parameters
    ----------
    recorded
        A `bioae.Recording`.
    predicted
        Another one of the same neuron, such as ``fit.predict()``; None: the recording alone.
    trial
        The trial whose input and potential are drawn.
    window
        The begin and end of the time that is drawn, quantities or seconds; by default all, or, of
        more than a second, that of the first spikes.
    ax
        Axes to draw into, for ``"input"``, ``"potential"`` and ``"spikes"`` where they are known.
    """
    drawn = {"recorded": recorded, **({} if predicted is None else {"predicted": predicted})}
    for name, each in drawn.items():
        _check_recording(each, name, trial)
    begin, end = _window(recorded, window)
    scale, label = (1.0, "time (s)") if end - begin > 2 else (1e3, "time (ms)")
    parts = {"input": "input", "potential": "voltage", "spikes": "spikes"}
    known = {name for name, part in parts.items() for each in drawn.values()
             if getattr(each, part) is not None}  # fmt: skip
    heights = {"input": 1.1, "potential": 1.8, "spikes": 0.6 + 0.17 * min(recorded.trials, 20)}
    heights = {name: height for name, height in heights.items() if name in known}
    size = 7.2, 0.3 + sum(heights.values()) / len(heights)
    axes = panels([*heights], size, label, ax=ax, height_ratios=[*heights.values()])
    for index, (name, each) in enumerate(drawn.items()):
        style = {"color": colour_of(index) if index else INK, "label": name}
        signals = {"potential": (each.voltage, each.voltage_unit)}
        if not index:
            signals["input"] = each.input, each.input_unit
        first, last = (round(time / float(each.dt)) for time in (begin, end))
        steps = np.arange(first, min(last, each.steps))
        for title, (values, unit) in signals.items():
            if values is not None and title in axes:
                time = steps * float(each.dt) * scale
                _draw_trace(axes[title], time, values[trial, steps], unit, **style)
        if each.spikes is not None and "spikes" in axes:
            rows = [times[(times >= begin) & (times < end)] * scale for times in each.spikes]
            _draw_rows(axes["spikes"], rows, (0.44 * index - 0.22) * (len(drawn) - 1), **style)
    for name, panel in axes.items():
        panel.set_xlim(begin * scale, end * scale)
        several = recorded.trials > 1 and name != "spikes"
        head(panel, f"{name} of trial {trial}" if several else name)
    if predicted is not None:
        share_legend([*axes.values()][::-1], ax=ax)  # of the spikes, which both have
    return figure_of(axes.values())


def _check_recording(given: Any, name: str, trial: int) -> None:
    if not all(hasattr(given, part) for part in ("input", "voltage", "spikes", "dt")):
        raise ResultError(
            "this is no recording", where=name, expected="a bioae.Recording",
            found=type(given).__name__, hint="bioae.Recording.open reads one from a file",
        )  # fmt: skip
    whole(trial, "trial", most=given.trials - 1, error=ResultError)


def _window(recorded: Any, window: tuple[Any, Any] | None) -> tuple[float, float]:
    """Return the begin and the end in seconds of what is drawn."""
    last = float(recorded.duration)
    if window is None:
        first = min((times[0] for times in recorded.spikes or () if len(times)), default=0.0)
        begin = min(max(first - _BEFORE_S, 0.0), max(last - _SHOWN_S, 0.0))
        return begin, min(begin + _SHOWN_S, last)
    begin, end = (length_ms(each, "window") / 1e3 if each else 0.0 for each in window)
    if not 0 <= begin < end <= last * (1 + 1e-9):
        raise ResultError(
            "the window does not fit", expected=f"two times within 0 to {last:g} s",
            found=f"{begin:g} s, {end:g} s",
        )  # fmt: skip
    return begin, end


def _draw_trace(panel: Axes, time: Any, values: Any, unit: Any, **style: Any) -> None:
    """Draw a trace, and name its unit on the axis."""
    known = np.isfinite(values)
    if not (known[1:] & known[:-1]).any():  # a line between single samples
        time, values = time[known], values[known]
    factor, text = _scaled(unit_name(unit), values)
    many = len(time) > MANY_STEPS
    panel.plot(time, values / factor, linewidth=1, alpha=0.8, rasterized=many, **style)
    panel.set_ylabel(f"({text})" if text else "")


def _draw_rows(panel: Axes, rows: list[Any], shift: float, **style: Any) -> None:
    """Draw the spikes of each trial, the first one at the top."""
    places, count = [row + shift for row in range(len(rows))], len(rows)
    panel.eventplot(rows, lineoffsets=places, linelengths=0.4, **style)
    panel.set(ylabel="trial", ylim=(count - 0.4, -0.6), yticks=range(0, count, -(-count // 4)))


def _scaled(unit: str, values: Any) -> tuple[float, str]:
    """Return the factor and symbol of a base unit, with the prefix that suits some values."""
    finite = np.abs(np.asarray(values, float))
    peak = float(np.max(finite[np.isfinite(finite)], initial=0.0))
    if unit not in _SYMBOLS or not peak:
        return 1.0, "" if unit == "1" else _SYMBOLS.get(unit, unit)
    power = int(np.clip(3 * np.floor(np.log10(peak) / 3 + 1e-9), -12, 9))
    return 10.0**power, _PREFIXES[power] + _SYMBOLS[unit]


@styled
def fit_starts(starts: xr.Dataset, *, ax: Places | None = None) -> Figure:
    """Draw where the starts of a fit ended, in the order of their losses.

    Where the first ones have one loss and equal parameters, the search has most likely found the
    smallest loss. Parameters are drawn within their bounds.

    Parameters
    ----------
    starts
        `bioae.trainers.fitting.Fit.starts`.
    ax
        Axes to draw into, for ``"loss"`` and the parameters by name.
    """
    _check(starts, "starts", ("loss", "final", "low", "high", "unit"))
    ordered = starts.sortby("loss")
    loss, rank = ordered["loss"].to_numpy(), np.arange(ordered.sizes["start"]) + 1
    names = [str(name) for name in starts["parameter"].to_numpy()]
    style: Any = {"linestyle": "none", "marker": "o", "markersize": 3.5}
    axes = panels(["loss", *names], (2.4, 1.9), "rank of the start", ax=ax, most=3)
    for name, panel in axes.items():
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if name == "loss":
            panel.plot(rank, loss, color=INK, **style)
            panel.axhline(1.01 * loss[0], color=INK, linestyle=":", linewidth=1)
            head(panel, "loss, and 1 % more")
            continue
        one = ordered.sel(parameter=name)
        ends = np.array([float(one["low"]), float(one["high"])])
        factor, unit = _scaled(str(one["unit"].item()), ends)
        panel.plot(rank, one["final"] / factor, color=colour_of(0), **style)
        if ends[0] > 0 and ends[1] >= 3 * ends[0]:
            panel.set_ylim(*ends / factor * [0.9, 1.1])
            log_axis(panel, vertical=True)
        else:
            panel.set_ylim(*(ends + 0.04 * np.ptp(ends) * np.array([-1, 1])) / factor)
        head(panel, f"{name} ({unit})" if unit else name)
    return figure_of(axes.values())


@styled
def fit_profile(
    profiles: xr.Dataset | Mapping[str, xr.Dataset], *, ax: Places | None = None
) -> Figure:
    """Draw the loss along parameters, with all others fitted again at each point.

    The dashed line is the parabola of the standard error: where both agree, the error holds. Below
    the dotted line are the values of the 95 % interval.

    Parameters
    ----------
    profiles
        `bioae.trainers.fitting.Fit.profile` of a parameter, or several by name.
    ax
        Axes to draw into, by parameter.
    """
    given: Any = profiles
    if isinstance(given, xr.Dataset):
        given = {str(given.attrs.get("parameter", "")): given}
    needed(given, "profiles", _HINT)
    for name, each in given.items():
        _check(each, name, ("value", "loss", "quadratic"))
    axes = panels([*given], (3.4, 2.3), "", ax=ax, most=2)
    for name, panel in axes.items():
        each = given[name]
        factor, unit = _scaled(str(each.attrs.get("unit", "1")), each["value"])
        value = each["value"].to_numpy() / factor
        rise, parabola = (each[part] - each["loss"].min() for part in ("loss", "quadratic"))
        panel.plot(value, rise, color=colour_of(0), label="loss", marker="o", markersize=3)
        panel.plot(value, parabola, "--", color=INK, label="parabola of the error")
        panel.axhline(_INTERVAL, color=INK, linestyle=":", linewidth=1)
        panel.set_ylim(0, float(np.clip(1.1 * rise.max(), 1.2 * _INTERVAL, 10)))
        panel.set(xlabel=f"{name} ({unit})" if unit else name, ylabel="loss above the smallest")
        panel.xaxis.set_major_locator(MaxNLocator(4))
        if is_wide(value):
            log_axis(panel)
    share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


def _check(given: Any, name: str, parts: tuple[str, ...]) -> None:
    known = [*map(str, given.variables)] if isinstance(given, xr.Dataset) else []
    if not {*parts} <= {*known}:
        raise ResultError(
            "this is no part of a fit", where=name, expected=f"a dataset with {', '.join(parts)}",
            found=", ".join(known) or type(given).__name__, hint=_HINT,
        )  # fmt: skip
