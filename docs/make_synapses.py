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

from bioae.analysis.plots.style import COLOURS, new_figure, styled
from bioae.equations import available_synapses, learning_window, load_synapse, weight_changes

PICTURE = Path(__file__).resolve().parent / "images" / "learning-windows.svg"

#: Sixty pairs of spikes 10 ms apart at these rates in Hz, as Pfister & Gerstner 2006 have them.
RATES, PAIRS, APART_MS = (1, 2, 5, 10, 20, 30, 40, 50), 60, 10


def main() -> None:
    """Draw the picture again."""
    found = numbers()
    pictures.save(PICTURE, draw(found), found)


def numbers() -> dict[str, Any]:
    """Compute the windows, and the changes by rate, of all shipped models."""
    intervals = np.linspace(-100, 100, 81)
    models = {name: load_synapse(name) for name in available_synapses()}
    return {
        "intervals_ms": intervals.tolist(),
        "window": {name: _rounded(learning_window(m, intervals)) for name, m in models.items()},
        "rates_hz": list(RATES),
        "by_rate": {
            name: [float(_by_rate(model, rate)) for rate in RATES] for name, model in models.items()
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
    figure = new_figure(7.2, 2.6)
    window, rates = figure.subplots(1, 2)
    at = np.array(found["intervals_ms"])
    for colour, (name, change) in zip(COLOURS, found["window"].items(), strict=False):
        for place, side in enumerate((at < 0, at > 0)):
            label = name if place == 0 else None
            window.plot(at[side], np.array(change)[side], color=colour, label=label)
        rates.plot(found["rates_hz"], found["by_rate"][name], "o-", color=colour, markersize=4)
    for axes in (window, rates):
        axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    window.set(
        title="One pair of spikes",
        xlabel="target's spike after the source's, ms",
        ylabel="change of the weight",
    )
    rates.set(title=f"{PAIRS} pairs, {APART_MS} ms apart", xlabel="pairs per second")
    window.legend()
    return figure


if __name__ == "__main__":
    main()
