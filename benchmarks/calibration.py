"""Errors of a trained network after its neurons are changed, for each kind of calibration.

``python -m benchmarks.calibration`` trains a small auto-encoder of lif neurons, gives it each of
the shipped neuron models, calibrated in every way, and writes errors and firing to
``docs/results/calibration.json``, and the table of the page. The images are the last of the test
split, since the first were used to define the calibrations.
"""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.stored import DOCS_RESULTS, parser
from bioae import simulate, train
from bioae.analysis import sum_squared_error, summary
from bioae.datasets import load as load_images
from bioae.equations import available, load_neuron
from bioae.errors import ModelError
from bioae.files import write_text
from bioae.networks import Network
from bioae.networks.artefact import load
from bioae.responses.calibration import CALIBRATIONS
from bioae.simulation import Backend

_COMMAND = "python -m benchmarks.calibration"

#: The calibration that the command line uses by default.
DEFAULT = "rate"

CONFIG = """
[data]
name       = "sample"
train      = 2000
validation = 100
test       = 100

[network]
preset = "strided"
neuron = "lif"

[training]
epochs        = 4
learning_rate = 1e-3
derivative    = "membrane"

[regularisers]
beta2   = 0.01
lambda2 = 0.01
"""


def main() -> None:
    """Measure each neuron and calibration, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("--out", type=Path, default=DOCS_RESULTS / "calibration.json")
    arguments.add_argument("--model", type=Path, help="a trained network, instead of training one")
    arguments.add_argument("--images", type=int, default=100, help="number of the last test images")
    arguments.add_argument("--neurons", nargs="*", default=_spiking(), help="neuron models")
    options = arguments.parse_args()
    network = load(options.model).network if options.model else _trained()
    stored: dict[str, Any] = {}
    if options.resume and options.out.exists():
        stored = json.loads(options.out.read_text(encoding="utf-8"))
    head = {"network_sha256": network.sha256, "last_test_images": options.images}
    if any(stored.get(key) != value for key, value in head.items()):
        trained = {"config": CONFIG, "unchanged": measured(network, options.images)}
        stored = {"command": _COMMAND, **head, **trained, "neurons": {}}
    for neuron, by in product(options.neurons, CALIBRATIONS):
        rows = stored["neurons"].setdefault(neuron, {})
        if by not in rows:
            rows[by] = changed(network, neuron, by, options.images)
            write_text(options.out, json.dumps(stored, indent=1) + "\n", overwrite=True)
            print(neuron, by, rows[by], flush=True)
    write_text(options.out.with_name("calibration-table.inc"), table(stored), overwrite=True)


def table(stored: dict[str, Any]) -> str:
    """Return a line for each neuron: the error under each calibration, and the latent firing."""
    columns = " | ".join(f"`{by}`" for by in CALIBRATIONS)
    lines = [
        f"| neuron | {columns} | latent density | latent dead |",
        "| --- | " + "---: | " * len(CALIBRATIONS) + "---: | ---: |",
    ]
    before = stored["unchanged"]
    unchanged = " | ".join(f"{before['sum_squared_error']:.1f}" for _ in CALIBRATIONS)
    lines.append(f"| lif, unchanged | {unchanged} | {_latent(before)} |")
    for neuron, row in stored["neurons"].items():
        errors = " | ".join(
            "-" if "refused" in row[by] else f"{row[by]['sum_squared_error']:.1f}"
            for by in CALIBRATIONS
        )
        firing = "- | -" if "refused" in row[DEFAULT] else _latent(row[DEFAULT])
        lines.append(f"| {neuron} | {errors} | {firing} |")
    return "\n".join(lines) + "\n"


def _latent(measures: dict[str, Any]) -> str:
    place = measures["layers"].index("latent")
    density, dead = (measures[name][place] for name in ("rate_per_step_mean", "dead_fraction"))
    return f"{density:.3f} | {dead:.0%}".replace("%", " %")


def changed(network: Network, neuron: str, by: Any, images: int) -> dict[str, Any]:
    """Return the measures of a network with another neuron, or the reason for its refusal."""
    try:
        factors = network.calibration_factors(neuron, by)
    except ModelError as error:
        return {"refused": str(error)}
    other = network.with_neuron(neuron, calibrate=factors)
    return {"factors": factors, "dt": other.config.dt, **measured(other, images)}


def measured(network: Network, images: int) -> dict[str, Any]:
    """Return the reconstruction error of a network, and the firing of its layers."""
    result = simulate(
        network, load_images("sample", "test")[-images:], Backend("torch", dtype="float32")
    )
    table = summary(result)
    firing = ("rate_hz_mean", "rate_per_step_mean", "dead_fraction", "bursting_fraction")
    return {
        "sum_squared_error": float(sum_squared_error(result).mean()),
        "layers": [str(name) for name in table["layer"].to_numpy()],
        **{name: [round(float(value), 5) for value in table[name]] for name in firing},
    }


def _spiking() -> list[str]:
    return [name for name in available() if load_neuron(name).threshold is not None]


def _trained() -> Network:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "train.toml"
        config.write_text(CONFIG)
        train(config, out=Path(folder) / "run")
        return load(Path(folder) / "run" / "model").network


if __name__ == "__main__":
    main()
