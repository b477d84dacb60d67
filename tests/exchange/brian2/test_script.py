"""Plain Brian2 scripts: the spikes of bioae, in a process that cannot import it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from builders import LEAKY, dense, drawn, pictures
from refusals import refused

import bioae
from bioae.errors import ModelError, OutputError

CASES = [("brian2", "constant_current"), ("paper", "bernoulli")]
WITHOUT_BIOAE = "import runpy, sys; sys.modules['bioae'] = None; runpy.run_path(sys.argv[1])"
#: A comment that would end its text in the script.
QUOTED = {
    **LEAKY, "equations": 'dv/dt = (x - v)/tau : 1  # """, 1/0, """\nx : 1\ny : 1',
    "initial": {"x": "0.2"},  # a current that nothing changes
}  # fmt: skip


POPULATIONS = [
    {"name": "first", "size": 20, "neuron": "lif_refractory", "background": 0.1},
    {"name": "second", "size": 12, "neuron": "coba", "bias": True},
    {"name": "output", "shape": [1, 4, 4], "neuron": "quoted", "spread": {"tau": 0.2}},
]
PROJECTIONS = [
    {"from": "input", "to": "first", "gain": 3.0}, {"from": "first", "to": "first"},
    {"from": "first", "to": "second", "gain": 4.0, "delay": ["0*ms", "3*ms"]},
    {"from": "second", "to": "first", "kind": "sparse", "probability": 0.5, "delay": "1*ms"},
    {"from": "second", "to": "output", "gain": 4.0},
]  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize(("schedule", "encoder"), CASES)
def test_it_fires_the_same_spikes(tmp_path: Path, schedule: str, encoder: str) -> None:
    config = bioae.NetworkConfig(
        input_shape=[1, 4, 4], steps=30, schedule=schedule, encoder={"kind": encoder},
        decoder={"kind": "mean"}, neurons={"quoted": QUOTED},
        populations=POPULATIONS, projections=PROJECTIONS,
    )  # fmt: skip
    network, images = bioae.Network.initialise(config).quantised(), pictures(3, 4, 4)
    network = network.with_weights({"second.bias": pictures(12)})
    script = bioae.to_script(network, tmp_path / "script", images, seed=5)
    command = [sys.executable, "-I", "-c", WITHOUT_BIOAE, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"(\w+): (\d+) spikes, in bioae (\d+); (\d+) differ", done.stdout)
    result = bioae.simulate(network, images, "numpy", seed=5)
    counts = {name: str(int(each["spike_count"].sum())) for name, each in result["layers"].items()}
    assert lines == [(name, count, count, "0") for name, count in counts.items()]
    assert "0" not in counts.values()
    assert done.stdout.endswith(" is 0\n")  # the difference of the outputs


def test_time_in_a_presentation_is_refused_and_other_files_are_kept(tmp_path: Path) -> None:
    timed = {**LEAKY, "threshold": "v > 1 and t > 2*ms"}
    network = drawn(dense("a", 4), input_shape=[1, 2, 2], neuron="mine", neurons={"mine": timed})
    with refused(ModelError, where="mine.toml", found="t"):
        bioae.to_script(network, tmp_path / "script", pictures(1, 2, 2))
    (tmp_path / "notes.txt").touch()
    with refused(OutputError, where=tmp_path, found="notes.txt"):
        bioae.to_script(network, tmp_path, pictures(1, 2, 2), overwrite=True)
