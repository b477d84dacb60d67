"""Firing-rate distributions of one trained network with each shipped neuron in its layers.

``python -m benchmarks.firing_by_neuron`` puts each neuron that fires, in steps of 1 ms, into the
network, with a background at which it fires as often as the former neuron without other input. It
adapts the network to its task with the regularisers and the spike derivative of its training (with
one that is tried, if the error stays above that of the mean image), and measures how it fires for
test digits. It writes each row as soon as it is measured to ``docs/results/firing_by_neuron.json``,
and the table and the picture of the page.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import xarray as xr

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae import load, simulate
from bioae.analysis import firing_rate, fit_rates, layer_statistics, plots, sum_squared_error
from bioae.datasets import load as load_digits
from bioae.equations import available, load_neuron
from bioae.files import write_text
from bioae.networks import Network
from bioae.networks.trained.cards import CONFIG, FOLDER
from bioae.simulation import Backend
from bioae.trainers import TrainingConfig, adapt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COMMAND = "python -m benchmarks.firing_by_neuron"
_UNCHANGED = "unchanged"

#: Settings of an adaptation of few presentations.
_TRAINING = {"learning_rate": 6e-3, "average": 0.9}

#: The columns of the table: the measure, its heading and its format.
_COLUMNS = {
    "rate_hz_mean": ("mean rate in Hz", ".1f"),
    "rate_hz_median": ("median", ".1f"),
    "lognormal_sigma": ("log-normal sigma", ".2f"),
    "isi_cv_mean": ("CV of intervals", ".2f"),
    "sparseness_lifetime": ("sparseness", ".2f"),
    "dead_fraction": ("dead", ".1%"),
    "bursting_fraction": ("bursting", ".1%"),
}


def main() -> None:
    """Measure each neuron, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--model", default="sae-mnist-cortical", help="a trained network")
    arguments.add_argument("--presentations", type=int, default=320, help="of an adaptation")
    arguments.add_argument("--digits", type=int, default=60, help="number of test digits")
    arguments.add_argument("--neurons", nargs="*", default=_spiking(), help="neuron models")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    network = load(options.model).network
    trained = TrainingConfig.read(FOLDER / options.model / CONFIG)
    settings = {
        "training": {"derivative": trained.training.derivative.model_dump(), **_TRAINING},
        "regularisers": tomllib.loads(trained.to_toml())["regularisers"],
    }
    head = {"network_sha256": network.sha256, "digits": options.digits}
    stored = Stored(DOCS_RESULTS / "firing_by_neuron.json", _COMMAND)
    stored.rows = [row for row in stored.rows if head.items() <= row.items()]
    keys = [
        {**head, "neuron": name, "presentations": options.presentations if number else 0}
        for number, name in enumerate([_UNCHANGED, *options.neurons])
    ]
    for key in stored.pending(keys, resume=options.resume):
        shown = network
        if number := key["presentations"]:
            changed = _as_noisy(network.with_neuron(key["neuron"]), network)
            for own in (settings, {"regularisers": settings["regularisers"]}):
                run = adapt(changed, network, presentations=number, settings=own, progress=False)
                shown = run.network
                if run.end and not run.end.obstacle:
                    break
        stored.add({**key, **_measured(shown, options.digits)})
        path = DOCS_RESULTS / "firing_by_neuron-table.inc"
        write_text(path, table(stored.rows), overwrite=True)
        plots.save_figure(
            picture(stored.rows), path.with_name("firing_by_neuron.svg"), overwrite=True
        )
        print(key["neuron"], stored.rows[-1]["error"], flush=True)


def _as_noisy(changed: Network, former: Network) -> Network:
    """Return a network with its background scaled: noise alone makes it fire as the former one."""
    target = _spontaneous(former)
    low, high = -6.0, 3.0  # powers of 2
    for _ in range(8):
        middle = (low + high) / 2
        scaled = _scaled(changed, 2**middle)
        low, high = (low, middle) if _spontaneous(scaled) > target else (middle, high)
    return _scaled(changed, 2**low)


def _scaled(network: Network, factor: float) -> Network:
    """Return a network with the background of each layer multiplied by a factor."""
    layers = []
    for each in network.config.layers:
        noise = each.background if isinstance(each.background, float) else None
        update = {} if noise is None else {"background": factor * noise}
        layers.append(each.model_copy(update=update))
    return Network(network.config.varied(layers=tuple(layers)), network.weights)


def _spontaneous(network: Network) -> float:
    """Return the mean rate in Hz of the latent neurons without input from other neurons."""
    named = network.weights.items()
    silent = network.with_weights({n: 0 * each for n, each in named if n.endswith(".weight")})
    result = simulate(silent, np.zeros((4, 1, 28, 28)), Backend("torch"), progress=False)
    return float(firing_rate(result, str(network.config.latent)).mean())


def _measured(network: Network, digits: int) -> dict[str, Any]:
    """Return the error of a network, and the measures and rates of its latent layer."""
    data = load_digits("sample", "test", digits)
    result = simulate(network, data, Backend("torch", dtype="float32"), progress=False)
    latent = network.config.latent
    assert latent is not None
    measures = layer_statistics(result)
    fit = fit_rates(result, latent)
    return {
        "error": round(float(sum_squared_error(result).mean()), 3),
        "dt_ms": network.config.dt_seconds * 1e3,
        "layers": {
            name: {each: _rounded(float(found[each])) for each in _COLUMNS if each in found}
            for name, found in measures.items()
            if name != network.config.placed[-1].name
        },
        "latent": latent,
        "rates_hz": [_rounded(float(each)) for each in firing_rate(result, latent)],
        "fit": {name: fit[name].to_numpy().tolist() for name in ("shape", "scale", "aic")},
        "families": fit["distribution"].to_numpy().tolist(),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a row per neuron: its error, and how the latent layer fires."""
    headings = ["neuron", "error", *(heading for heading, _ in _COLUMNS.values()), "best fit"]
    lines = [f"| {' | '.join(headings)} |", "| --- |" + " ---: |" * (len(headings) - 2) + " --- |"]
    for row in rows:
        measures = row["layers"][row["latent"]]
        cells = [
            format(measures[name], form).replace("%", " %") for name, (_, form) in _COLUMNS.items()
        ]
        best = row["families"][int(np.nanargmin(row["fit"]["aic"]))]
        lines.append(f"| {row['neuron']} | {row['error']:.2f} | {' | '.join(cells)} | {best} |")
    return "\n".join(lines) + "\n"


def picture(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the distributions of the latent neurons' rates, a panel per neuron model."""
    from matplotlib.figure import Figure

    across = 3
    down = -(-len(rows) // across)
    figure = Figure(figsize=(2.6 * across, 1.9 * down), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharex=True)
    every = np.concatenate([row["rates_hz"] for row in rows])
    for number, row in enumerate(rows):
        name, panel = row["neuron"], panels[divmod(number, across)]
        rates = xr.DataArray(row["rates_hz"], dims="neuron", attrs={"units": "Hz"})
        fit = xr.Dataset(
            {key: ("distribution", values) for key, values in row["fit"].items()},
            {"distribution": row["families"]},
        )
        plots.fitted_rates({name: {name: rates}}, {name: {name: fit}}, ax={name: panel}, bins=20)
        panel.get_legend().remove()
        panel.tick_params(axis="x", labelsize="x-small")
        if number % across:
            panel.set_ylabel("")
        if number + across < len(rows):
            panel.set_xlabel("")
    panels[0, 0].set_xlim(every[every > 0].min() / 1.2, every.max() * 1.2)
    for panel in panels.ravel()[len(rows) :]:
        panel.remove()
    return figure


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _spiking() -> list[str]:
    models = {name: load_neuron(name) for name in available()}
    return [name for name, each in models.items() if each.threshold and each.dt is None]


if __name__ == "__main__":
    main()
