"""What a trained network loses when its neurons are changed, by how its weights are calibrated.

``python -m benchmarks.calibration`` trains a small auto-encoder of lif neurons, gives it each of
the shipped neuron models in turn, calibrated in every way, and writes errors and firing to
``docs/results/calibration.json``, and a table beside it, as it goes; run again, it measures what is
not there yet. Images are the last of the test split: the first were looked at when the calibrations
were defined.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.stored import write_text
from bioae.analysis import sum_squared_error, summary
from bioae.datasets import load as load_images
from bioae.equations import available, load_model
from bioae.errors import ModelError
from bioae.files import atomic_output
from bioae.networks.artefact import load
from bioae.networks.network import Network
from bioae.responses.calibration import CALIBRATIONS
from bioae.trainers.mirror.simulate import simulate_mirror
from bioae.trainers.training.train import train

OUT = Path("docs/results/calibration.json")

#: What the command line does where nothing is said.
DEFAULT = "rate"

CONFIG = """
[data]
name       = "sample"
train      = 2000
validation = 100

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
    """Measure what is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.calibration")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--model", type=Path, help="a trained network, instead of training one")
    parser.add_argument("--images", type=int, default=100, help="how many of the last test images")
    parser.add_argument("--neurons", nargs="*", default=_spiking(), help="neuron models")
    options = parser.parse_args()
    network = load(options.model).network if options.model else _trained()
    found = json.loads(options.out.read_text()) if options.out.exists() else {}
    head = {"network_sha256": network.sha256, "last_test_images": options.images}
    if any(found.get(key) != value for key, value in head.items()):
        trained = {"config": CONFIG, "unchanged": measured(network, options.images)}
        found = {"command": "python -m benchmarks.calibration", **head, **trained, "neurons": {}}
    for neuron in options.neurons:
        for by in CALIBRATIONS:
            if by in found["neurons"].setdefault(neuron, {}):
                continue
            found["neurons"][neuron][by] = changed(network, neuron, by, options.images)
            with atomic_output(options.out, overwrite=True) as temporary:
                temporary.write_text(json.dumps(found, indent=1) + "\n")
            print(neuron, by, found["neurons"][neuron][by], flush=True)
    write_text(options.out.with_name("calibration-table.inc"), table(found))


def table(found: dict[str, Any]) -> str:
    """Return a line for each neuron: the error under each calibration, and the layers' density."""
    columns = " | ".join(f"`{by}`" for by in CALIBRATIONS)
    lines = [
        f"| neuron | {columns} | latent density | latent dead |",
        "| --- | " + "---: | " * len(CALIBRATIONS) + "---: | ---: |",
    ]
    before = found["unchanged"]
    unchanged = " | ".join(f"{before['sum_squared_error']:.1f}" for _ in CALIBRATIONS)
    lines.append(f"| lif, unchanged | {unchanged} | {_latent(before)} |")
    for neuron, row in found["neurons"].items():
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
    """Return what a network does with another neuron, or why there is nothing to measure."""
    try:
        factors = network.calibration_factors(neuron, by)
    except ModelError as error:
        return {"refused": str(error)}
    other = network.with_neuron(neuron, calibrate=factors)
    return {"factors": factors, "dt": other.config.dt, **measured(other, images)}


def measured(network: Network, images: int) -> dict[str, Any]:
    """Return the error of a network's images, and how its layers fire."""
    result = simulate_mirror(network, load_images("sample", "test")[-images:], dtype="float32")
    table = summary(result)
    firing = ("rate_hz_mean", "rate_per_step_mean", "dead_fraction", "bursting_fraction")
    return {
        "sum_squared_error": float(sum_squared_error(result).mean()),
        "layers": [str(name) for name in table["layer"].to_numpy()],
        **{name: [round(float(value), 5) for value in table[name]] for name in firing},
    }


def _spiking() -> list[str]:
    return [name for name in available() if load_model(name).threshold is not None]


def _trained() -> Network:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "train.toml"
        config.write_text(CONFIG)
        train(config, Path(folder) / "run")
        return load(Path(folder) / "run" / "model").network


if __name__ == "__main__":
    main()
