"""Draw the learning windows of the shipped synapse models, and what pairs of spikes change by rate.

python docs/make_synapses.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from model_pages import pictures

from bioae.analysis.plots.style import COLOURS, INK, new_figure, styled
from bioae.equations import (
    available_synapses,
    learning_window,
    load_synapse,
    weight_changes,
)

PICTURE = Path(__file__).resolve().parent / "images" / "learning-windows.svg"

#: Sixty pairs of spikes 10 ms apart at these rates in Hz, as Pfister & Gerstner 2006 have them.
RATES, PAIRS, APART_MS = (1, 2, 5, 10, 20, 30, 40, 50), 60, 10


#: The rules that read nothing of their target's neuron.
ALONE = [name for name in available_synapses() if not load_synapse(name).reads_neuron]

#: The rules that are compared by rate.
BY_RATE = ("stdp_pair", "stdp_triplet")

COLUMNS = 4


def main() -> None:
    """Draw the picture again."""
    found = numbers()
    pictures.save(PICTURE, draw(found), found)


def numbers() -> dict[str, Any]:
    """Compute the windows, and the changes by rate, of all shipped models."""
    intervals = np.linspace(-100, 100, 81)
    models = {name: load_synapse(name) for name in ALONE}
    return {
        "intervals_ms": intervals.tolist(),
        "window": {name: _rounded(learning_window(m, intervals)) for name, m in models.items()},
        "rates_hz": list(RATES),
        "by_rate": {
            name: [float(_by_rate(models[name], rate)) for rate in RATES] for name in BY_RATE
        },
    }


def _rounded(values: Iterable[float]) -> list[float]:
    """Return numbers without the digits in which libraries differ."""
    return [round(float(value), 12) for value in values]


def _by_rate(model: Any, rate: int) -> float:
    pre = 20 + np.round(np.arange(PAIRS) * 1e3 / rate).astype(int)
    fired = np.zeros((2, 1, int(pre[-1]) + 100), bool)
    fired[0, 0, pre], fired[1, 0, pre + APART_MS] = True, True
    free = {"w_min": "-1000", "w_max": "1000"}
    model = model.model_copy(update={"parameters": {**model.parameters, **free}})
    return float(weight_changes(model, *fired, dt="1*ms")[0])


@styled
def draw(found: dict[str, Any]) -> Figure:
    """Draw the learning windows, and the changes by the rate of pairs."""
    names = list(found["window"])
    figure = new_figure(7.2, 2.1 * -(-(len(names) + 1) // COLUMNS))
    panels = figure.subplots(-(-(len(names) + 1) // COLUMNS), COLUMNS).ravel()
    at = np.array(found["intervals_ms"])
    for axes, name in zip(panels, names, strict=False):
        change = 1e3 * np.array(found["window"][name])
        for side in (at < 0, at > 0):
            axes.plot(at[side], change[side], color=INK)
        axes.axvline(0, color="0.7", linewidth=0.8, zorder=0)
        axes.set_title(name)
    for axes in panels[len(names) - COLUMNS + 1 : len(names)]:
        axes.set_xlabel("target after source, ms")
    for axes in panels[::COLUMNS]:
        axes.set_ylabel("change of the weight, 0.001")
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    rates = panels[-1]
    rates.set_visible(True)
    for colour, (name, changes) in zip(COLOURS, found["by_rate"].items(), strict=False):
        rates.plot(found["rates_hz"], changes, "o-", color=colour, markersize=4, label=name)
    rates.set(title=f"{PAIRS} pairs", xlabel="pairs per second", ylabel="change of the weight")
    rates.legend(fontsize=7)
    for axes in panels:
        axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    return figure


if __name__ == "__main__":
    main()
