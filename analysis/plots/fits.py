"""Fits to recordings: recorded and predicted activity, ends of a search, and profiles of a loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.plots.panels import Places, figure_of, head, panels, share_legend
from bioae.analysis.plots.sources import needed
from bioae.analysis.plots.style import INK, MANY_STEPS, colour_of, is_wide, log_axis, styled
from bioae.analysis.results.monitors import length_ms
from bioae.checks import whole
from bioae.errors import ResultError
from bioae.unit_text import unit_name

#: Seconds of a longer recording that are drawn by default, and those before the first spike.
_SHOWN_S, _BEFORE_S = 1.0, 0.1

_SYMBOLS = {
    "second": "s", "volt": "V", "amp": "A", "ohm": "Ω", "siemens": "S", "farad": "F", "hertz": "Hz",
}  # fmt: skip
_PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}

_HINT = "Give fit.starts, or fit.profile(NAME) of a parameter"

#: The loss above the smallest one at the ends of a 95 % interval, half the quantile of chi squared.
_INTERVAL = 1.92


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
        Axes to draw into: for ``"input"``, ``"potential"`` and ``"spikes"``, of which the recording
        has some.
    """
    drawn = {"recorded": recorded, **({} if predicted is None else {"predicted": predicted})}
    for name, each in drawn.items():
        if not all(hasattr(each, part) for part in ("input", "voltage", "spikes", "dt")):
            raise ResultError(
                "this is no recording", where=name, expected="a bioae.Recording",
                found=type(each).__name__, hint="bioae.Recording.open reads one from a file",
            )  # fmt: skip
        whole(trial, "trial", most=each.trials - 1, error=ResultError)
    begin, end = _window(recorded, window)
    traced = any(each.voltage is not None for each in drawn.values())
    fired = any(each.spikes is not None for each in drawn.values())
    names = ["input", *["potential"] * traced, *["spikes"] * fired]
    long = end - begin > 2
    scale, label = (1.0, "time (s)") if long else (1e3, "time (ms)")
    heights = {"input": 1.0, "potential": 1.6, "spikes": 0.5 + 0.15 * min(recorded.trials, 20)}
    size = 7.2, 0.3 + 1.1 * sum(heights[name] for name in names) / len(names)
    axes = panels(names, size, label, ax=ax, height_ratios=[heights[name] for name in names])
    for index, (name, each) in enumerate(drawn.items()):
        dt, colour = float(each.dt), INK if name == "recorded" else colour_of(index)
        steps = slice(round(begin / dt), round(end / dt))
        time = np.arange(each.steps)[steps] * dt * scale
        if name == "recorded" and "input" in axes:
            _draw_trace(axes["input"], time, each.input[trial, steps], each.input_unit, color=INK)
        if each.voltage is not None and "potential" in axes:
            voltage = each.voltage[trial, steps]
            style: Any = {"color": colour, "label": name}
            _draw_trace(axes["potential"], time, voltage, each.voltage_unit, **style)
        if each.spikes is not None and "spikes" in axes:
            rows = [t[(t >= begin) & (t < end)] * scale for t in each.spikes]
            places = np.arange(len(rows)) + (0.22 if predicted is not None else 0) * (2 * index - 1)
            axes["spikes"].eventplot(
                rows,
                lineoffsets=[*places],
                linelengths=0.4,
                linewidths=1,
                colors=colour,
                label=name,
            )
    for name, panel in axes.items():
        panel.set_xlim(begin * scale, end * scale)
        of = f" of trial {trial}" if recorded.trials > 1 and name != "spikes" else ""
        head(panel, f"{name}{of}")
    if "spikes" in axes:
        axes["spikes"].set(ylabel="trial", ylim=(recorded.trials - 0.4, -0.6))
        axes["spikes"].set_yticks(range(0, recorded.trials, -(-recorded.trials // 4)))
    if predicted is not None:
        share_legend([*axes.values()][::-1], ax=ax)  # of the spikes, which both have
    return figure_of(axes.values())


def _window(recorded: Any, window: tuple[Any, Any] | None) -> tuple[float, float]:
    """Return the begin and the end in seconds of what is drawn."""
    last = float(recorded.duration)
    if window is not None:
        begin, end = (length_ms(each, "window") / 1e3 if each else 0.0 for each in window)
        if not 0 <= begin < end <= last * (1 + 1e-9):
            raise ResultError(
                "the window does not fit", expected=f"two times within 0 to {last:g} s",
                found=f"{begin:g} s, {end:g} s",
            )  # fmt: skip
        return begin, end
    first = min((t[0] for t in recorded.spikes or () if len(t)), default=0.0)
    begin = min(max(first - _BEFORE_S, 0.0), max(last - _SHOWN_S, 0.0))
    return begin, min(begin + _SHOWN_S, last)


def _draw_trace(
    panel: Axes, time: NDArray[Any], values: NDArray[Any], unit: Any, **style: Any
) -> None:
    """Draw a trace, and name its unit on the axis."""
    factor, text = scaled(unit_name(unit), values)
    panel.plot(
        time, values / factor, linewidth=1, alpha=0.8, rasterized=len(time) > MANY_STEPS, **style
    )
    panel.set_ylabel(f"({text})" if text else "")


def scaled(unit: str, values: Any) -> tuple[float, str]:
    """Return the factor and symbol of a base unit, with the prefix that suits some values."""
    finite = np.abs(np.asarray(values, float))
    peak = float(np.max(finite[np.isfinite(finite)], initial=0.0))
    if unit not in _SYMBOLS or not peak:
        return 1.0, "" if unit == "1" else _SYMBOLS.get(unit, unit)
    power = int(np.clip(3 * np.floor(np.log10(peak) / 3 + 1e-9), -12, 9))
    return 10.0**power, _PREFIXES[power] + _SYMBOLS[unit]


@styled
def fit_starts(starts: xr.Dataset, *, ax: Places | None = None) -> Figure:
    """Draw where the starts of a fit ended: their losses, and each parameter within its bounds.

    Starts are in the order of their losses. Where the first ones have one loss and equal
    parameters, the search has most likely found the smallest loss.

    Parameters
    ----------
    starts
        `bioae.trainers.fitting.Fit.starts`.
    ax
        Axes to draw into, for ``"loss"`` and the parameters by name.
    """
    _check(starts, "starts", ("loss", "final", "low", "high", "unit"))
    ordered = starts.sortby("loss")
    rank = np.arange(ordered.sizes["start"]) + 1
    names = [str(name) for name in starts["parameter"].to_numpy()]
    style: Any = {"linestyle": "none", "marker": "o", "markersize": 3.5}
    axes = panels(["loss", *names], (2.4, 1.9), "rank of the start", ax=ax, most=3)
    if (panel := axes.get("loss")) is not None:
        loss = ordered["loss"].to_numpy()
        panel.plot(rank, loss, color=INK, **style)
        panel.axhline(1.01 * loss[0], color=INK, linestyle=":", linewidth=1)
        if is_wide(loss):
            log_axis(panel, vertical=True)
        head(panel, "loss, and 1 % more")
    for name in names:
        if (panel := axes.get(name)) is None:
            continue
        one = ordered.sel(parameter=name)
        low, high = float(one["low"]), float(one["high"])
        factor, unit = scaled(str(one["unit"].item()), [low, high])
        panel.plot(rank, one["final"] / factor, color=colour_of(0), **style)
        margin = 0.04 * (high - low) / factor
        panel.set_ylim(low / factor - margin, high / factor + margin)
        if low > 0 and high >= 3 * low:
            panel.set_ylim(low / factor / 1.1, high / factor * 1.1)
            log_axis(panel, vertical=True)
        head(panel, f"{name} ({unit})" if unit else name)
    for panel in axes.values():
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
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
        factor, unit = scaled(str(each.attrs.get("unit", "1")), each["value"])
        smallest, value = float(each["loss"].min()), each["value"] / factor
        rises = {part: each[part].to_numpy() - smallest for part in ("loss", "quadratic")}
        style: Any = {"marker": "o", "markersize": 3}
        panel.plot(value, rises["loss"], color=colour_of(0), label="loss", **style)
        panel.plot(
            value, rises["quadratic"], "--", color=INK, label="parabola of the standard error"
        )
        panel.axhline(_INTERVAL, color=INK, linestyle=":", linewidth=1)
        panel.set_ylim(0, max(1.2 * _INTERVAL, min(1.1 * float(rises["loss"].max()), 10.0)))
        if is_wide(value.to_numpy()):
            log_axis(panel)
        panel.set_xlabel(f"{name} ({unit})" if unit else name)
        panel.set_ylabel("loss above the smallest")
    share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


def _check(given: Any, name: str, parts: tuple[str, ...]) -> None:
    known = [*map(str, given.variables)] if isinstance(given, xr.Dataset) else []
    if not {*parts} <= {*known}:
        raise ResultError(
            "this is no part of a fit", where=name, expected=f"a dataset with {', '.join(parts)}",
            found=", ".join(known) or type(given).__name__,
            hint=_HINT,
        )  # fmt: skip
