"""Plain Brian2 scripts: the spikes of bioae, in a process that cannot import it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builders import LEAKY, dense, drawn, pictures
from refusals import refused

import bioae
from bioae.errors import ModelError, OutputError

WITHOUT_BIOAE = "import runpy, sys; sys.modules['bioae'] = None; runpy.run_path(sys.argv[1])"
#: A comment that would end its text in the script.
QUOTED = {**LEAKY, "equations": 'dv/dt = -v/tau : 1  # """, 1/0, """\nx : 1\ny : 1'}


def a_network(**fields: Any) -> bioae.Network:
    network = drawn(
        dense("first", 20, neuron="lif_refractory", recurrent=True, gain=3.0, background=0.1),
        dense("second", 12, neuron="coba", bias=True, gain=4.0, delay=["0*ms", "3*ms"]),
        dense("output", shape=[1, 4, 4], neuron="quoted", gain=4.0, spread={"tau": 0.2}),
        input_shape=[1, 4, 4], steps=30, decoder={"kind": "mean"}, neurons={"quoted": QUOTED},
        **fields,
    )  # fmt: skip
    return bioae.Network(network.config, {**network.weights, "second.bias": pictures(12)})


@pytest.mark.medium
@pytest.mark.parametrize(
    ("schedule", "encoder"), [("brian2", "constant_current"), ("paper", "bernoulli")]
)
def test_it_fires_the_same_spikes_without_bioae(
    tmp_path: Path, schedule: str, encoder: str
) -> None:
    network, images = a_network(schedule=schedule, encoder={"kind": encoder}), pictures(3, 4, 4)
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
