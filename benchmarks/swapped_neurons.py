"""Errors of a trained network with each shipped neuron in its layers: calibrated, and adapted.

``python -m benchmarks.swapped_neurons`` puts each neuron that fires into a trained auto-encoder,
adapts it to its task, and measures both on test digits. Neurons in finer steps have presentations
in proportion, so that all have as many steps. Each row is written as soon as it is measured to
``docs/results/swapped_neurons.json``. The table of the page has the longest adaptation of each
neuron that takes at most two minutes, and its median over the seeds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import torch

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae import load, simulate
from bioae.analysis import sum_squared_error, summary
from bioae.datasets import load as load_digits
from bioae.equations import available, load_neuron
from bioae.files import write_text
from bioae.networks import Network
from bioae.simulation import Backend
from bioae.trainers import adapt

_COMMAND = "python -m benchmarks.swapped_neurons"
_UNCHANGED = "unchanged"

#: The time of an adaptation in the table, in seconds.
_TIME = 120


def main() -> None:
    """Measure each neuron, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--model", default="sae-mnist-leaky", help="a trained network")
    arguments.add_argument(
        "--presentations", type=int, nargs="*", default=[4000, 8000], help="of adaptations"
    )
    arguments.add_argument("--seeds", type=int, nargs="*", default=[0], help="of adaptations")
    arguments.add_argument("--digits", type=int, default=200, help="number of test digits")
    arguments.add_argument("--neurons", nargs="*", default=_spiking(), help="neuron models")
    arguments.add_argument(
        "--trainable", nargs="*", default=[], help="neuron parameters to train, all of them"
    )
    options = arguments.parse_args()
    torch.set_num_threads(1)
    network = load(options.model).network
    head = {"network_sha256": network.sha256, "digits": options.digits}
    stored = Stored(DOCS_RESULTS / "swapped_neurons.json", _COMMAND)
    stored.rows = [row for row in stored.rows if head.items() <= row.items()]
    keys = [{**head, "neuron": _UNCHANGED, "presentations": 0}]
    for name in options.neurons:
        part = network.with_neuron(name).config.dt_seconds / network.config.dt_seconds
        numbers = (max(round(each * part), 1) for each in options.presentations)
        which = {"trainable": options.trainable} if options.trainable else {}
        keys += [
            {**head, "neuron": name, "presentations": n, "seed": seed, **which}
            for n in numbers
            for seed in options.seeds
        ]
    for key in stored.pending(keys, resume=options.resume):
        if key["neuron"] == _UNCHANGED:
            stored.add({**key, **_measured(network, options.digits)})
        else:
            stored.add({**key, **_swapped(network, **key)})
        print(stored.rows[-1], flush=True)
        _write(stored.rows)
    _write(stored.rows)


def _write(rows: Iterable[Mapping[str, Any]]) -> None:
    write_text(DOCS_RESULTS / "swapped_neurons-table.inc", table(rows), overwrite=True)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per neuron: the error after the swap, and after its adaptation."""
    chosen: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["presentations"]):
        name = row["neuron"]
        if names := row.get("trainable"):
            name += f", {', '.join(names)} trained"
        found = chosen.setdefault(name, [])
        if found and found[0]["presentations"] != row["presentations"]:
            if row["seconds"] > _TIME:
                continue
            found.clear()
        found.append(row)
    (source,) = chosen.pop(_UNCHANGED)
    heads = "dt in ms | error, calibrated | adapted | of the original's | latent rate in Hz"
    lines = [
        f"| neuron | {heads} | latent dead | presentations | seeds | seconds |",
        "| --- |" + " ---: |" * 9,
        f"| unchanged | {source['dt_ms']:g} | {source['error']:.2f} | | | {_latent(source)} |"
        + " |" * 3,
    ]
    for name, found in sorted(chosen.items()):
        errors = sorted(row["error"] for row in found)
        low, high = (f"{each / source['error']:.2f}" for each in (errors[0], errors[-1]))
        part = f"{median(errors) / source['error']:.2f} times"
        part += f" ({low} to {high})" if len(errors) > 1 else ""
        row = found[0]
        lines.append(
            f"| {name} | {row['dt_ms']:g} | {row['calibrated']:.2f} "
            f"| {median(errors):.2f} | {part} | {_latent(row)} | {row['presentations']:,} "
            f"| {len(found)} | {median(each['seconds'] for each in found):.0f} |"
        )
    return "\n".join(lines) + "\n"


def _latent(row: Mapping[str, Any]) -> str:
    return f"{row['latent_hz']:.0f} | {row['latent_dead']:.0%}".replace("%", " %")


def _swapped(
    network: Network,
    neuron: str,
    presentations: int,
    *,
    digits: int,
    seed: int,
    trainable: Sequence[str] = (),
    **_: Any,
) -> dict[str, Any]:
    """Return the measures of a network with another neuron, and the time of its adaptation."""
    changed = network.with_neuron(neuron)
    calibrated = _measured(changed, digits)["error"]
    started = time.process_time()
    settings = {"training": {"trainable": trainable}} if trainable else {}
    run = adapt(
        changed, network, presentations=presentations, settings=settings, seed=seed, progress=False
    )
    seconds = time.process_time() - started
    return {
        "calibrated": calibrated,
        **_measured(run.network, digits),
        "seconds": round(seconds, 1),
    }


def _measured(network: Network, digits: int) -> dict[str, Any]:
    """Return the reconstruction error of a network with its standard error, and its firing."""
    data = load_digits("sample", "test", digits)
    result = simulate(network, data, Backend("torch", dtype="float32"), progress=False)
    errors = sum_squared_error(result)
    latent = summary(result).sel(layer=network.config.latent)
    return {
        "dt_ms": network.config.dt_seconds * 1e3,
        "error": round(float(errors.mean()), 3),
        "standard_error": round(float(errors.std(ddof=1)) / len(data) ** 0.5, 3),
        "latent_hz": round(float(latent["rate_hz_mean"]), 2),
        "latent_dead": round(float(latent["dead_fraction"]), 4),
    }


def _spiking() -> list[str]:
    return [name for name in available() if load_neuron(name).threshold is not None]


if __name__ == "__main__":
    main()
