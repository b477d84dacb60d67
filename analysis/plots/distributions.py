"""Distributions over neurons: firing rates with fits, interspike intervals, response latencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.firing.intervals import isi_distribution
from bioae.analysis.firing.rate_distributions import fit_rates, rate_bins
from bioae.analysis.firing.rate_families import FAMILIES, Fit
from bioae.analysis.firing.rates import firing_rate, first_spike_latency
from bioae.analysis.plots.panels import Places, figure_of, from_zero, head, panels, share_legend
from bioae.analysis.plots.sources import (
    Layers,
    Measure,
    MeasuredLayers,
    by_name,
    layers_in,
    of_layer,
)
from bioae.analysis.plots.style import (
    FAMILY_LINES,
    INK,
    MANY_STEPS,
    MARKERS,
    colour_of,
    is_wide,
    line_of,
    log_axis,
    styled,
)
from bioae.checks import one_of, whole
from bioae.errors import ResultError

#: The lower quartile, the median, and the upper quartile.
Quartiles: TypeAlias = tuple[float, float, float]
_QUARTILES = (0.25, 0.5, 0.75)
#: The range of nearly all intervals.
_MOST = (0.005, 0.995)
_NONE = (np.nan, np.nan, np.nan)

_RATES = Measure("rates", firing_rate, xr.DataArray, ("neuron",))
_FITS = Measure("fits", fit_rates, xr.Dataset, ("distribution", "shape", "scale", "aic"))
_INTERVALS = Measure("intervals", isi_distribution, xr.DataArray, ("interval",))
_LATENCIES = Measure("latencies", first_spike_latency, xr.DataArray, ("neuron",))


@styled
def fitted_rates(
    rates: MeasuredLayers[xr.DataArray],
    fits: Mapping[str, Mapping[str, xr.Dataset]] | None = None,
    *,
    layers: Layers = None,
    which: Literal["best", "all"] = "best",
    bins: int = 30,
    ax: Places | None = None,
) -> Figure:
    """Draw histograms of firing rates on a logarithmic axis, with fitted distributions.

    The vertical axis is the number of neurons per octave, so that bins of any width are comparable
    with each other. A fit is averaged over the width of the bin around each rate, as counts are:
    at the centre of a bin it is the expected height of its bar. Neurons without a spike are in no
    bin of a logarithmic axis: the note of a panel counts them, and the fits are scaled to the
    others. The bar above a histogram ranges from the lower to the upper quartile of the neurons
    that spike; the tick on it is their median.

    Parameters
    ----------
    rates
        A result, several by name, or by result and layer the rate of each neuron in Hz, (neuron,),
        as from `bioae.analysis.firing_rate`. If it has the attribute `resolution`, the rate of a
        single spike, no bin is narrower than that.
    fits
        By result and layer, as from `bioae.analysis.fit_rates`, which computes those of results by
        default; none with ``{}``. `shape` (NaN for families without one), `scale` and `aic` along
        `distribution`. Fits that are NaN are not drawn.
    layers
        The layers to draw, by default all that can fire.
    which
        The fits of each result to draw: the ``"best"``, with the lowest AIC, or ``"all"``, of which
        it is the thickest.
    bins
        Number of bins of equal width on the logarithmic axis, over the rates of all neurons, if
        none is widened. Results of other numbers of examples have other resolutions, and bins.
    ax
        Axes to draw into, by layer.
    """
    given = by_name(rates, "rates")
    bins = whole(bins, "bins", least=1, error=ResultError)
    one_of(which, "which", ("best", "all"), error=ResultError)
    values = _RATES.by_layer(given, layers)
    trees = {name: tree for name, tree in given.items() if isinstance(tree, xr.DataTree)}
    fit_of: Any = trees if fits is None else fits
    fitted = _FITS.by_layer(fit_of, layers if fits is None else None) if fit_of else {}
    axes = panels(layers_in(values), (3.6, 2.3), "firing rate (Hz)", ax=ax, most=2)
    pooled = [each.to_numpy().ravel() for own in values.values() for each in own.values()]
    every = np.concatenate([np.zeros(0), *pooled])
    positive = every[every > 0]
    low, high = (positive.min(), positive.max()) if positive.size else (1.0, 10.0)
    families = dict(zip(FAMILIES.values(), FAMILY_LINES, strict=True))
    seen = set()
    for name, panel in axes.items():
        dead, marked, limits = [], [], list[float]()
        for index, label, data in of_layer(values, name):
            # The bins are those of all results of this resolution.
            resolution = float(data.attrs.get("resolution", 0))
            lowest = max(low, resolution)
            edges = rate_bins(lowest, max(lowest, high), bins, resolution)
            margin = (edges[-1] / edges[0]) ** 0.08  # fits go on beyond the data
            ends = float(edges[0] / margin), float(edges[-1] * margin)
            limits += ends
            alive = data.to_numpy()[data > 0]
            dead.append((index, f"{data.size - alive.size:,} of {data.size:,} dead"))
            marked.append((index, _quartiles_of(alive)))
            counts = np.histogram(alive, edges)[0] / np.diff(np.log2(edges))
            panel.stairs(counts, edges, color=colour_of(index), alpha=0.2, fill=True)
            panel.stairs(counts, edges, linewidth=0.9, label=label, **line_of(index))
            fit = fitted.get(label, {}).get(name)
            for place, curve in enumerate([] if fit is None else _curves(fit, which)):
                seen.add(curve.family)
                expected = _expected(curve, alive.size, edges, ends)
                style: Any = {"color": colour_of(index), "linewidth": 1 if place else 1.8}
                panel.plot(*expected, linestyle=families[curve.family], **style)
        from_zero(panel)
        _draw_quartiles(panel, marked, results=len(values))
        panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.set_ylabel("neurons per octave")
        panel.set_xlim(min(limits), max(limits))
        head(panel, name, dead)
    for panel in axes.values():
        log_axis(panel)
    lines = [
        Line2D([], [], color=INK, linestyle=line, label=f"{family.label} fit")
        for family, line in families.items()
        if family in seen
    ]
    share_legend(axes.values(), ax=ax, more=lines, handlelength=3)
    return figure_of(axes.values())


def _curves(fit: xr.Dataset, which: Literal["best", "all"]) -> list[Fit]:
    defined = fit[["shape", "scale", "aic"]].to_dataframe().dropna(subset="scale")
    rows = defined.sort_values("aic", kind="stable")[: 1 if which == "best" else None]
    return [Fit(FAMILIES[str(name)], row["shape"], row["scale"]) for name, row in rows.iterrows()]


def _expected(
    curve: Fit, neurons: int, edges: NDArray[np.float64], ends: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rates, and the expected number of neurons per octave in a bin around each."""
    rates, logarithms = np.geomspace(*ends, 400), np.log2(edges)
    centres = (logarithms[1:] + logarithms[:-1]) / 2
    octaves = np.interp(np.log2(rates), centres, np.diff(logarithms))
    half = 2 ** (octaves / 2)
    within = curve.distribution(rates * half) - curve.distribution(rates / half)
    return rates, within / octaves * neurons


@styled
def interval_histograms(
    distributions: MeasuredLayers[xr.DataArray],
    *,
    layers: Layers = None,
    ax: Places | None = None,
) -> Figure:
    """Draw the distributions of interspike intervals, one line per result.

    The vertical axis is the fraction of intervals per millisecond of their length, so that results
    of any time step are comparable; more than 1000 lengths are drawn in bins. If 99 % of the
    intervals of all layers span more than 1.5 decades, the horizontal axis is logarithmic, and the
    vertical one the fraction per octave. The bar above ranges from the lower to the upper quartile,
    the tick on it is the median.

    Parameters
    ----------
    distributions
        A result, several by name, or by result and layer the fraction of intervals of each
        length, (interval,), as from `bioae.analysis.isi_distribution`.
    layers
        The layers to draw, by default all that can fire.
    ax
        Axes to draw into, by layer.
    """
    values = _INTERVALS.by_layer(distributions, layers)
    axes = panels(layers_in(values), (3.6, 2.2), "interval (ms)", ax=ax, most=2)
    most = [_quantiles(each, _MOST) for own in values.values() for each in own.values()]
    wide = is_wide(np.ravel(most))
    for name, panel in axes.items():
        marked = []
        for index, label, fraction in of_layer(values, name):
            length, shares = fraction["interval"].to_numpy(), fraction.to_numpy()
            low, median, high = _quantiles(fraction, _QUARTILES)
            marked.append((index, (low, median, high)))
            density = shares / (np.diff(length).min() if length.size > 1 else length.max(initial=1))
            if length.size > (0 if wide else MANY_STEPS):
                length, density = _binned(length, shares, octaves=wide)
            panel.plot(
                length,
                density,
                marker=MARKERS[index % len(MARKERS)] if length.size <= 40 else None,
                markersize=3,
                label=label,
                **line_of(index),
            )
        panel.set_ylabel("fraction per octave" if wide else "fraction per ms")
        from_zero(panel)
        panel.yaxis.set_major_locator(MaxNLocator(4))
        _draw_quartiles(panel, marked, results=len(values))
        medians = [
            (index, f"median {median:.3g} ms" if np.isfinite(median) else "no interval")
            for index, (_, median, _) in marked
        ]
        head(panel, name, medians)
    for panel in axes.values() if wide else ():
        log_axis(panel)
    share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


def _quantiles(fraction: xr.DataArray, places: Sequence[float]) -> list[float]:
    """Return quantiles of the lengths of intervals, NaN without any."""
    length, shares = fraction["interval"].to_numpy(), fraction.to_numpy()
    if not np.isfinite(shares).any():
        return [np.nan] * len(places)
    # A margin keeps rounding of sums from moving a quantile to the next length.
    at = np.searchsorted(shares.cumsum() + 1e-12, places)
    return [float(each) for each in length[np.minimum(at, length.size - 1)]]


def _binned(
    length: NDArray[np.float64], shares: NDArray[np.float64], *, octaves: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the middles of bins of a tenth of an octave or a step, and densities in them."""
    first = np.unique(np.rint(2 ** np.arange(0, np.log2(length.size), 0.1)).astype(int)) - 1
    edges = (np.append(first, length.size) + 0.5) * length[0]
    held = np.add.reduceat(shares, first)
    some = np.flatnonzero(held > 0)
    part = slice(some[0], some[-1] + 1) if some.size else slice(0)
    widths = np.diff(np.log2(edges) if octaves else edges)
    return np.sqrt(edges[1:] * edges[:-1])[part], (held / widths)[part]


@styled
def response_latencies(
    latencies: MeasuredLayers[xr.DataArray],
    *,
    layers: Layers = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw the response latency of each layer: median and quartiles over neurons, by result.

    The axis is logarithmic if they span more than 1.5 decades.

    Parameters
    ----------
    latencies
        A result, several by name, or by result and layer the latency of each neuron in ms,
        (neuron,), as from `bioae.analysis.first_spike_latency`. Neurons that never spike are left
        out.
    layers
        The layers to draw, by default all that can fire.
    ax
        Axes to draw into.
    """
    values = _LATENCIES.by_layer(latencies, layers)
    names = layers_in(values)
    width = max(3.6, 0.9 + 0.25 * len(names) * (len(values) + 1))
    (axes,) = panels(["latency"], (min(width, 7.2), 2.5), ax=ax).values()
    step = 0.7 / len(values)
    drawn = [np.zeros((0, 3))]
    for index, (label, own) in enumerate(values.items()):
        rows = {
            place: _quartiles_of(own[name].to_numpy())
            for place, name in enumerate(names)
            if name in own
        }
        x = np.array([*rows]) + (index - (len(values) - 1) / 2) * step
        drawn.append(np.array([*rows.values()]).reshape(-1, 3))
        low, median, high = drawn[-1].T
        axes.vlines(x, low, high, color=colour_of(index), linewidth=1.5)
        axes.plot(
            x, median, color=colour_of(index), linestyle="none", markersize=4, zorder=3,
            marker=MARKERS[index % len(MARKERS)], label=label,
            clip_on=False,  # medians of 0 are on the axis
        )  # fmt: skip
    # Names that would overlap are inclined.
    inclined = 0.09 * sum(map(len, names)) > figure_of([axes]).get_figwidth() - 0.8
    style: dict[str, Any] = {"rotation": 30, "ha": "right"} if inclined else {}
    axes.set_xticks(range(len(names)), names, **style)
    axes.set_xlim(-0.5, len(names) - 0.5)
    if is_wide(np.concatenate(drawn)):
        log_axis(axes, vertical=True)
    else:
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("first-spike latency (ms)")
    share_legend([axes], ax=ax)
    return figure_of([axes])


def _quartiles_of(values: NDArray[Any]) -> Quartiles:
    """Return the quartiles of the defined values, NaN without any."""
    defined = values[np.isfinite(values)]
    low, median, high = np.quantile(defined, _QUARTILES) if defined.size else _NONE
    return float(low), float(median), float(high)


def _draw_quartiles(axes: Axes, rows: Sequence[tuple[int, Quartiles]], *, results: int) -> None:
    """Mark the median and the quartiles of each result above the data of a panel.

    `rows`: the place of each result among all, and its quartiles along the horizontal axis;
    `results`: the number of all results.
    """
    for index, (low, median, high) in rows:  # NaN is not drawn
        height = 1 - (index + 0.5) * 0.06
        style: dict[str, Any] = {
            "transform": axes.get_xaxis_transform(), "color": colour_of(index), "zorder": 4,
        }  # fmt: skip
        axes.plot([low, high], [height] * 2, linewidth=2, solid_capstyle="butt", **style)
        axes.plot([median], [height], marker="|", markersize=7, markeredgewidth=2, **style)
    low, high = axes.get_ylim()
    share = 1 - 0.06 * results - 0.02
    axes.set_ylim(low, low + (high - low) / share)
