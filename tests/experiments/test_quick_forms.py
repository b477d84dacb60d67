"""The quick forms of experiments hold, draw their figures, and can fail."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from experiments.__main__ import main
from experiments.runner.experiment import load

#: A number of a condition that contradicts the claim, or betrays a control.
WRONG: dict[str, list[tuple[str, str, float]]] = {
    "bcpnn": [("learned", "radius", 10.5), ("untrained", "accuracy", 0.8)],
    "classification": [("spiking", "accuracy", 0.0), ("spiking", "differing_outputs", 1)],
    "convolutional_structure": [("relu", "median", 0.0)],
    "demo": [("paper", "pathological", 0.0), ("regularised", "spikes", 0)],
    "csdp": [("learned", "differing_weights", 1e-3), ("frozen", "goodness_accuracy", 1.0)],
    "hubotter2021": [
        ("dense", "differing_spikes", 1),
        ("sparse", "density", 0.9),
        ("mean-image", "error", 1.0),
    ],
    "local_encoder": [("stdp_postsynaptic", "accuracy", 0.0), ("gradient", "differing_spikes", 1)],
    "memristive": [("levels-32", "and_gap", -5.0), ("analogue", "differing_spikes", 1)],
    "neural_variability": [("variability", "memorised", 1.0)],
    "neurons_as_autoencoders": [("k0-plain", "error", 1.0), ("k0-autoencoding", "decoded", 1.0)],
    "radlif": [("radlif", "critical_gain", 1.5)],
    "regression": [("elasticity", "differing_spikes", 1)],
    "rewiring": [("fixed", "moved", 0.1), ("rewired", "differing_numbers", 1.0)],
    "sparse_code": [("spiking", "density", 0.9), ("spiking", "differing_spikes", 1)],
    "spike_times": [("shallow", "event_error", 1e-3), ("jump", "jump", 0.0)],
    "srnn": [("trained", "accuracy", 0.5), ("untrained", "accuracy", 0.9)],
}


def run(name: str, *options: str) -> int:
    """Run the quick form, and return the status."""
    return main([name, "--quick", "--target", "numpy", *options])


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_the_quick_form_holds_and_can_fail(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, experiment = tmp_path / "out", load(name)
    assert run(name, "--out", str(folder)) == 0
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    rows = {row["condition"]: row["numbers"] for row in document["rows"]}
    assert set(rows) == {key for key, each in experiment.conditions.items() if each.quick}
    assert all(set(numbers) <= set(experiment.columns) for numbers in rows.values())
    differing = [each["differing_spikes"] for each in rows.values() if "differing_spikes" in each]
    assert differing == [0] * len(differing)
    assert differing or "differing_spikes" not in experiment.columns
    for figure in experiment.figures:
        assert (folder / f"figures/{name}-{figure}.svg").read_text().endswith("-->\n")

    for number, (condition, column, value) in enumerate(WRONG[name]):
        changed = deepcopy(document)
        (row,) = (each for each in changed["rows"] if each["condition"] == condition)
        assert row["numbers"][column] != value
        row["numbers"][column] = value
        known = tmp_path / f"known{number}.json"
        known.write_text(json.dumps(changed))
        capsys.readouterr()
        # The rows are taken over, so that nothing is trained.
        assert run(name, "--rows", str(known), "--out", str(tmp_path / str(number))) == 1
        out = capsys.readouterr().out
        assert ": misses" in out or "silent: " in out
