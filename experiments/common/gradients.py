"""Gradient norms against time over a range of gains, and the gain at which gradients explode.

A layer receives normal noise. Its gradients explode if their norm grows from the first to the last
lag; the critical gain is the smallest gain of the recurrent weights at which they do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.runner.criteria import Estimate, Rows, values_of
from experiments.runner.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Gains of the recurrent weights, and the lags in steps at which norms are measured.
GAINS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
LAGS = (10, 20, 50, 100, 200, 500)

#: The number of bisections between two gains: the critical gain is known to a factor 2^(1/8).
_BISECTIONS = 3
#: The smallest and the largest norm that is measured.
_SMALLEST, _LARGEST = 1e-300, 1e300


class Sample(NamedTuple):
    """Measurements at one gain.

    `norms`: decimal logarithms of gradient norms (lag): means over examples; NaN on overflow;
    `rates`: mean outputs of the units (unit): of spiking ones, spikes per step; `spikes`: the sum
    of all outputs: of spiking units, their spikes.
    """

    norms: NDArray[np.float64]
    rates: NDArray[np.float64]
    spikes: float

    @property
    def growth(self) -> float:
        """The growth of the norm from the first to the last lag, in powers of 10.

        Infinity if the norm overflows at a lag.
        """
        first, last = self.norms[[0, -1]]
        return float(last - first) if np.isfinite(self.norms).all() else float("inf")


def column(gain: float, lag: int) -> str:
    """Return the column of the norm at a gain and a lag."""
    return f"norm.g{gain:g}.t{lag}"


def gradients(trial: Trial) -> dict[str, float]:
    """Measure the gradient norms of an untrained layer at all gains, and its critical gain.

    The settings of the condition give the ``units``: ``"radlif"`` with the ``spread`` of their
    parameters and the ``gain`` of their input, or a cell of recurrent baselines. The sizes give
    the number of ``units``, ``examples``, ``burn_in`` steps before the first input that counts,
    the ``lags``, and whether to ``compile``.
    """
    sizes = trial.sizes
    samples = {gain: _sample(trial, gain) for gain in GAINS}
    numbers = {
        column(gain, lag): float(norm)
        for gain, sample in samples.items()
        for lag, norm in zip(sizes["lags"], sample.norms, strict=True)
    }
    exploding = [gain for gain in GAINS if samples[gain].growth > 0]
    if not exploding or exploding[0] == GAINS[0]:
        return numbers  # the critical gain is out of range, and undefined
    above = exploding[0]
    below = GAINS[GAINS.index(above) - 1]
    for _ in range(_BISECTIONS):
        middle = float(np.sqrt(below * above))
        samples[middle] = _sample(trial, middle)
        below, above = (below, middle) if samples[middle].growth > 0 else (middle, above)
    numbers |= {"critical_gain": above, "growth_above": _sample(trial, 2 * above).growth}
    if trial.settings["units"] != "radlif":
        return numbers
    rates = [float(each.rates.mean()) for gain, each in samples.items() if gain <= above]
    return numbers | {
        "rate_lowest": min(rates),
        "rate_highest": max(rates),
        "silent": float((samples[above].rates == 0).mean()),
        "spikes": round(min(each.spikes for gain, each in samples.items() if gain <= above)),
    }


def draw_gradients(rows: Rows) -> Figure:
    """Gradient norm against time for several gains of the recurrent weights: means over seeds."""
    from bioae.analysis.plots.style import colour_of, new_figure

    names = [name for name in ("relu", "tanh", "radlif", "stable") if name in rows]

    figure = new_figure(2.8 * len(names), 2.8)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        for place, gain in enumerate((1, 2, 16, 32)):
            means = [Estimate.of(values_of(rows, column(gain, lag), name)).value for lag in LAGS]
            axes.plot(LAGS, means, "o-", color=colour_of(place), label=f"gain {gain:g}")
        axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        axes.set(title=name, xlabel="lag in steps", ylim=(-20, 20))
    panels[0].set_ylabel("log10 of the norm")
    panels[-1].legend()
    return figure


def _sample(trial: Trial, gain: float) -> Sample:
    import torch

    from bioae.random import named_stream
    from bioae.trainers import gradient_norms, layer_outputs

    sizes = trial.sizes
    respond = layer_outputs(_layer(trial, gain))
    shape = (_steps(sizes), sizes["examples"], sizes["units"])
    inputs = torch.from_numpy(
        named_stream(trial.seed, "gradients", "inputs").standard_normal(shape)
    )
    norms = gradient_norms(respond, inputs, sizes["lags"], seed=trial.seed)
    with torch.no_grad():
        outputs = respond(inputs)[sizes["burn_in"] :]
    kept = np.where(np.isfinite(norms) & (norms < _LARGEST), norms.clip(_SMALLEST), np.nan)
    return Sample(np.log10(kept).mean(axis=1), outputs.mean((0, 1)).numpy(), float(outputs.sum()))


def _layer(trial: Trial, gain: float) -> Any:
    """Return a layer in PyTorch, in float64, with orthogonal recurrent weights of a gain."""
    import torch

    from bioae.networks import Network, NetworkConfig
    from bioae.trainers import Backward, LayerOptions, NetworkMirror, derivative
    from experiments.baselines import BaselineConfig
    from experiments.baselines.recurrent import RecurrentModule

    sizes, settings = trial.sizes, trial.settings
    layer = {"kind": "dense", "name": "layer", "units": sizes["units"], "recurrent": True}
    network: dict[str, Any] = {
        "input_shape": [sizes["units"]],
        "steps": _steps(sizes),
        "encoder": {"kind": "frames"},
        "decoder": {"kind": "mean"},
        "task": {"kind": "classification", "classes": sizes["units"]},
        "layers": [layer | {"recurrent_gain": gain}],
    }
    if settings["units"] != "radlif":
        tables = {
            "baseline": {"kind": "recurrent", "cell": settings["units"]},
            "network": network,
            "training": {"seed": trial.seed, "dtype": "float64"},
        }
        return RecurrentModule(BaselineConfig.from_mapping(tables, where="layer")).layers[0]
    network["layers"][0] |= {
        "neuron": "radlif",
        "initial": "orthogonal",
        "gain": settings["gain"],
        "spread": settings["spread"],
    }
    network |= {"schedule": "paper", "decoder": {"kind": "count"}}
    mirror = NetworkMirror(
        Network.initialise(NetworkConfig.from_mapping(network, where="layer"), seed=trial.seed),
        LayerOptions(Backward(derivative("boxcar"))),
        dtype=torch.float64,
        compile=sizes["compile"],
    )
    return mirror.layers["layer"]


def _steps(sizes: Mapping[str, Any]) -> int:
    return int(sizes["burn_in"] + max(sizes["lags"]))
