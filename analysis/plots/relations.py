"""Relations: CV with rate, rate with intensity, responses of examples, output with target."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bioae.analysis.coding.latent_space import Plane, principal_plane, project
from bioae.analysis.coding.receptive_fields import transfer_curve
from bioae.analysis.firing.intervals import isi_cv
from bioae.analysis.firing.rates import firing_rate
from bioae.analysis.plots.panels import Places, figure_of, head, panels, share_legend
from bioae.analysis.plots.sources import (
    Layers,
    Measure,
    Measured,
    MeasuredLayers,
    Results,
    layers_in,
    of_layer,
    panels_of,
    results_of,
)
from bioae.analysis.plots.style import (
    INK,
    MARKERS,
    MOST_MARKERS,
    colour_of,
    line_of,
    log_axis,
    marker_of,
    span,
    styled,
)
from bioae.analysis.results.layers import layer_data
from bioae.analysis.results.outputs import check_task
from bioae.checks import whole
from bioae.errors import ResultError

#: The most points of a scatter plot of outputs, and the most outputs that are drawn.
_POINTS, _UNITS = 5000, 6


def _rates_and_cvs(tree: xr.DataTree, layer: str) -> xr.Dataset:
    return xr.Dataset({"firing_rate": firing_rate(tree, layer), "isi_cv": isi_cv(tree, layer)})


_VALUES = Measure("neurons", _rates_and_cvs, xr.Dataset, ("firing_rate", "isi_cv"))
_CURVES = Measure(
    "rates", transfer_curve, xr.Dataset, ("intensity", "pairs", "lower", "median", "upper")
)


@styled
def cv_against_rate(
    values: MeasuredLayers[xr.Dataset],
    *,
    layers: Layers = None,
    ax: Places | None = None,
) -> Figure:
    """Draw the ISI CV of each neuron against its firing rate, one marker per result.

    The line is the CV of a Poisson process. On a grid of steps, independent spikes with p spikes
    per step have a smaller CV, sqrt(1 - p). The note of a panel has the median of each result and
    the number of neurons whose CV is defined.

    Parameters
    ----------
    values
        A result, several by name, or by result and layer `firing_rate` in Hz and `isi_cv` of each
        neuron, (neuron,), as from `bioae.analysis.neuron_values`.
    layers
        The layers to draw, by default all that can fire.
    ax
        Axes to draw into, by layer.
    """
    measured = _VALUES.by_layer(values, layers)
    axes = panels(layers_in(measured), (3.6, 2.4), "firing rate (Hz)", ax=ax, most=2)
    drawn = 0
    for name, panel in axes.items():
        medians = []
        for index, label, data in of_layer(measured, name):
            rate, cv = (data[each].to_numpy() for each in ("firing_rate", "isi_cv"))
            defined = np.isfinite(cv) & (rate > 0)
            rate, cv = rate[defined], cv[defined]
            many = cv.size > MOST_MARKERS
            style = marker_of(index) | ({"markersize": 2, "alpha": 0.5} if many else {"alpha": 0.8})
            panel.plot(rate, cv, rasterized=many, label=label, **style)
            drawn += cv.size
            median = f"median {np.median(cv):.2g}, " if cv.size else ""
            medians.append((index, f"{median}{cv.size:,} neurons"))
        panel.axhline(1, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label="Poisson process")
        panel.set_ylabel("CV of intervals")
        panel.yaxis.set_major_locator(MaxNLocator(4))
        head(panel, name, medians, marks=True)
    highest = max(panel.get_ylim()[1] for panel in axes.values())
    for panel in axes.values():
        panel.set_ylim(0, highest)
        if drawn:
            log_axis(panel)
    share_legend(axes.values(), ax=ax)
    return figure_of(axes.values())


@styled
def transfer_curves(
    curves: Measured[xr.Dataset],
    *,
    layers: Layers = None,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Draw firing rate against the intensity of the input, one line per result.

    The line is the median over neurons of their mean rates, the band ranges from the lower to the
    upper quartile.

    Parameters
    ----------
    curves
        A result, several by name, or by result as from `bioae.analysis.transfer_curve`.
    layers
        The layers to draw, by default the first, which receives the images.
    ax
        Axes to draw into.
    """
    measured = _CURVES.by_result(curves) if layers is None else _CURVES.by_panel(curves, layers)
    label = "mean intensity of the input (0 black, 1 white)"
    (axes,) = panels(["curve"], (4.6, 2.7), label, ax=ax).values()
    for index, (name, curve) in enumerate(measured.items()):
        data = curve.isel(intensity=curve["pairs"].to_numpy() > 0)
        x, low, median, high = (
            data[each].to_numpy() for each in ("intensity", "lower", "median", "upper")
        )
        axes.fill_between(x, low, high, color=colour_of(index), alpha=0.12, lw=0)
        marker = MARKERS[index % len(MARKERS)]
        axes.plot(x, median, marker=marker, markersize=4, label=name, **line_of(index))
    axes.set_ylabel("firing rate (Hz)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(title)
    share_legend([axes], ax=ax)
    return figure_of([axes])


@styled
def latent_maps(
    results: Results,
    layers: Layers = None,
    *,
    most_examples: int = 2000,
    ax: Places | None = None,
) -> Figure:
    """Draw examples in the space of their spike counts, marked by class, a panel per layer.

    The axes are the first two principal components of the first result. Results whose layer has as
    many neurons share the axes, so that equal positions are equal responses; others have their own
    components. The axis labels give the fraction of the result's variance along each component.

    Parameters
    ----------
    results
        A result, or several by name. Without labels all examples have the same marker.
    layers
        The layers to draw, such as the latent one; by default all that can fire and have two
        neurons or more.
    most_examples
        Number of examples to draw, from the first; the components are those of all examples.
    ax
        Axes to draw into, by result, or with several layers by ``"RESULT, LAYER"``.
    """
    trees = results_of(results, "examples")
    most_examples = whole(most_examples, "most_examples", least=1, error=ResultError)
    labels: dict[str, NDArray[Any]] = {
        name: root["label"].to_numpy() if "label" in root else np.zeros(root.sizes["example"], int)
        for name, root in ((name, tree.to_dataset()) for name, tree in trees.items())
    }
    classes = sorted({each for label in labels.values() for each in label.tolist()})
    several = len(classes) > 1
    margin = 0.9 if several else 0.2, 0
    rows = panels_of(trees, layers, least=2)
    axes = panels([*rows], (2.9, 2.9), ax=ax, most=3, margin=margin, pictures=True)
    planes: dict[str, Plane] = {}
    for title, (name, layer) in rows.items():
        tree, plane = trees[name], planes.get(layer)
        if plane is None or plane.mean.size != layer_data(tree, layer).sizes["neuron"]:
            plane = principal_plane(tree, layer)
        planes.setdefault(layer, plane)
        if title not in axes:
            continue
        panel, places = axes[title], project(tree, layer, plane)
        _draw_examples(panel, places[:most_examples], labels[name][:most_examples], classes)
        head(panel, title)
        for which, (axis, fraction) in enumerate(
            zip((panel.xaxis, panel.yaxis), places["fraction"].to_numpy(), strict=True), 1
        ):
            explained = f"{100 * fraction:.0f} % of the" if np.isfinite(fraction) else "no"
            axis.set_label_text(f"component {which} ({explained} variance)")
            axis.set_major_locator(MaxNLocator(4))
    if several:
        style: dict[str, Any] = {"title": "class", "markerscale": 1.3, "handlelength": 1}
        share_legend(axes.values(), ax=ax, loc="outside right upper", **style)
    return figure_of(axes.values())


def _draw_examples(
    axes: Axes, places: xr.DataArray, labels: NDArray[Any], classes: list[Any]
) -> None:
    x, y = places.transpose("component", "example").to_numpy()
    many = x.size > MOST_MARKERS
    for index, each in enumerate(classes):
        own = labels == each
        style = marker_of(index) | {"markeredgewidth": 0.6, "markersize": 3 if many else 4.5}
        style["markerfacecolor"] = colour_of(index) if index < 7 else "none"
        axes.plot(x[own], y[own], alpha=0.7, rasterized=many, label=str(each), **style)


@styled
def predicted_values(results: Results, *, ax: Places | None = None) -> Figure:
    """Draw the outputs of regressions against their targets, one colour per output.

    Parameters
    ----------
    results
        A result, or several by name, with targets; 5,000 examples and 6 outputs at most are drawn.
    ax
        Axes to draw into, by result.
    """
    values = {}
    for name, tree in results_of(results, "outputs").items():
        check_task(tree, "regression")
        root = tree.to_dataset()
        if "target" not in root:
            raise ResultError("the targets of the examples are not known", where="target")
        root = root.isel(example=slice(_POINTS), unit=slice(_UNITS))
        values[name] = [
            root[each].transpose("unit", "example").to_numpy().astype(float)
            for each in ("target", "output")
        ]
    ends = span(itertools.chain.from_iterable(values.values()))
    options: dict[str, Any] = {"most": 3, "margin": (0.2, 0.2), "pictures": True}
    grid = panels([*values], (3.2, 3.1), ax=ax, sharex=True, sharey=True, **options)
    for name, axes in grid.items():
        target, output = values[name]
        axes.axline((0, 0), slope=1, color="0.6", linewidth=1, zorder=0)
        many = target.shape[1] > MOST_MARKERS
        for unit, (x, y) in enumerate(zip(target, output, strict=True)):
            axes.plot(
                x, y, linestyle="", marker=".", markersize=3 if many else 6, alpha=0.6,
                color=colour_of(unit), label=f"output {unit}", rasterized=many,
            )  # fmt: skip
        axes.set(xlabel="target", ylabel="output", xlim=ends, ylim=ends)
        head(axes, name)
    share_legend(grid.values(), ax=ax)
    return figure_of(grid.values())
