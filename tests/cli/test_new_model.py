"""A user's neuron model, from a file to a trained network, through the command line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from bioae.networks import artefact

Run = Callable[..., Any]

#: Physical units, an exponential, adaptation, refractoriness that lasts as long as it has adapted,
#: a custom event, noise, and a name that SymPy has for something else.
MODEL = """
description = "An exponential neuron that tires, and is jolted."
equations = '''
dv/dt = (leak + spike_current - S)/C + jitter*xi : volt (unless refractory)
leak = beta*(E_L - v) : amp
spike_current = beta*slope*exp(clip((v - v_T)/slope, -20, 3)) : amp
dS/dt = (a*(v - E_L) - S)/tau_S : amp
jolts : integer
'''
threshold = "v > -45*mV"
reset = '''
v = E_L
S = S*0.9 + 0.1*b + 0.9*b
'''
refractory = "(1 + S/nA)*ms"
method = "euler"
input = "v"
weight = "8*mV"
[events.jolt]
condition = "v < E_L - 1*mV"
reset = "v += 0.5*mV; jolts += 1"
[parameters]
C = "200*pF"
beta = "10*nS"
E_L = "-65*mV"
v_T = "-52*mV"
slope = "2*mV"
a = "2*nS"
b = "20*pA"
tau_S = "60*ms"
jitter = "2*mV*(10*ms)**-0.5"
[initial]
v = "E_L"
[trainable]
tau_S = ["20*ms", "200*ms"]
beta = ["5*nS", "20*nS"]
"""


@pytest.fixture
def config(here: Path, tiny_text: str) -> str:
    """Write the model and a training configuration that names it."""
    (here / "mine.toml").write_text(MODEL)
    assert "[network]" in tiny_text
    text = tiny_text.replace("[network]", '[network]\nneuron = "mine.toml"', 1)
    training = 'trainable = ["tau_S", "beta"]\nderivative = "fast_sigmoid"\n'
    (here / "run.toml").write_text(text + training)
    return "run.toml"


@pytest.mark.slow
def test_from_a_file_to_a_trained_network(run: Run, here: Path, config: str) -> None:
    def done(*command: object) -> str:
        actual = run(*command)
        assert (actual.status, actual.err) == (0, ""), (command, actual)
        return str(actual.out)

    printed = json.loads(done("neurons", "show", "mine.toml", "--json"))["derived"]
    assert printed["trainable"] == ["tau_S from 20*ms to 200*ms", "beta from 5*nS to 20*nS"]
    assert "exp" in printed["parity"]
    checked = json.loads(done("neurons", "check", "mine.toml", "--json", "--target", "numpy"))[
        "parity"
    ]
    assert checked["active_fraction"] >= 0.5
    assert checked["one_step"] == 1.0

    done("train", config, "--out", "out")
    trained = artefact.load(here / "out" / "model")
    written = tomllib.loads((here / "out" / "model" / "network.toml").read_text())
    (model,) = (m for m in written["network"]["neurons"].values() if "jolts" in m["equations"])
    assert model["events"] == tomllib.loads(MODEL)["events"]
    # What is decoded is the last layer's read-out: its own spikes have nothing to learn from.
    for name, start in (("tau_S", 0.06), ("beta", 10e-9)):
        assert (trained.network.weights[f"latent.{name}"] != start).all()

    done("simulate", "out/model", "--out", "r.nc", "--limit", 3, "--target", "numpy")
    assert "passed" in done("parity", "out/model", "--examples", 2, "--target", "numpy")
    with xr.open_datatree(here / "r.nc", engine="h5netcdf") as result:
        counts = [int(result[f"/layers/{name}/spike_count"].sum()) for name in ("latent", "output")]
        assert sum(counts) > 0
        assert np.isfinite(result["reconstruction"]).all()
    done("analyze", "r.nc", "--out", "report")
    assert any((here / "report").iterdir())
