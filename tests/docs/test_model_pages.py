"""Pages of neuron models: their stored numbers, and the page of a user's own model."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import make_models
import numpy as np
import pytest
from model_pages import responses

from bioae.equations import load_neuron

pytestmark = pytest.mark.slow

OWN = """
description = "A user's neuron."
equations = '''
dv/dt = (E_L - v + R*I)/tau_m : volt (unless refractory)
dI/dt = -I/tau_syn : amp
'''
threshold = "v > V_T"
reset = "v = E_L"
refractory = "3*ms"
method = "exact"
input = "I"
weight = "0.3*nA"

[parameters]
E_L = "-65*mV"
V_T = "-50*mV"
R = "100*Mohm"
tau_m = "20*ms"
tau_syn = "4*ms"

[initial]
v = "E_L"

[trainable]
tau_m = ["6*ms", "100*ms"]
"""


def test_stored_numbers_are_reproduced() -> None:
    stored = responses.read(make_models.numbers_of("lif"))
    measured = responses.measure(load_neuron("lif"))
    np.testing.assert_allclose(measured["rate"]["rate_hz"], stored["rate"]["rate_hz"], atol=0.5)
    for key in ("time_ms", "spikes_ms"):
        np.testing.assert_allclose(measured["step"][key], stored["step"][key], atol=0.2)
    values = (numbers["step"]["states"]["v"]["values"] for numbers in (measured, stored))
    np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-3)


def test_page_of_a_users_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "COUNTED", "700*ms")
    file = tmp_path / "own.toml"
    file.write_text(OWN, encoding="utf-8")
    make_models.make(load_neuron(file), tmp_path, file="../own.toml")
    page = (tmp_path / "models/own.md").read_text(encoding="utf-8")
    for part in (
        r"\frac{dv}{dt} &= \frac{E_{\mathrm{L}} - v + R \, I}{\tau_{m}} \quad \text{(unless ",
        r"It spikes when $v > V_{\mathrm{T}}$; then $v \leftarrow E_{\mathrm{L}}$.",
        r"It is refractory for $3 \, \mathrm{ms}$.",
        r"adds $w \cdot 0.3 \, \mathrm{nA}$ to $I$.",
        r"| $R$ | `R` | parameter | $100 \, \mathrm{M\Omega}$ |",
        r"$6 \, \mathrm{ms}$, $100 \, \mathrm{ms}$",
        "Exact: ",
        "(../own.toml)",
    ):
        assert part in page, part
    for picture in (tmp_path / "images/models").iterdir():
        assert ET.parse(picture).getroot().tag.endswith("svg")
    assert len(list((tmp_path / "images/models").iterdir())) == 2

    # Stored numbers are kept as long as the model does not change.
    numbers = make_models.numbers_of("own", tmp_path)
    before = numbers.read_text(encoding="utf-8")
    numbers.write_text(before.replace('"numpy"', '"NumPy"'), encoding="utf-8")
    make_models.make(load_neuron(file), tmp_path, file="../own.toml")
    assert '"NumPy"' in numbers.read_text(encoding="utf-8")
    file.write_text(OWN.replace("0.3*nA", "0.6*nA"), encoding="utf-8")
    make_models.make(load_neuron(file), tmp_path, file="../own.toml")
    after = responses.read(numbers)
    assert "NumPy" not in after["versions"]
    assert after["step"]["drive_per_ms"] < 0.7 * json.loads(before)["step"]["drive_per_ms"]
