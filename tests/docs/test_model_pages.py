"""Pages of neuron models: expressions in LaTeX, stored numbers, the page of a user's model."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import make_models
import numpy as np
import pytest
from model_pages import responses
from model_pages.description import dynamics, firing, symbols
from model_pages.typesetting import latex, symbol

from bioae.equations import available, load_neuron

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


@pytest.mark.slow
def test_stored_numbers_are_reproduced() -> None:
    stored = responses.read(make_models.numbers_of("lif"))
    measured = responses.measure(load_neuron("lif"))
    np.testing.assert_allclose(measured["rate"]["rate_hz"], stored["rate"]["rate_hz"], atol=0.5)
    for key in ("time_ms", "spikes_ms"):
        np.testing.assert_allclose(measured["step"][key], stored["step"][key], atol=0.2)
    values = (numbers["step"]["states"]["v"]["values"] for numbers in (measured, stored))
    np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("text", "typeset"),
    [
        ("-v/tau", r"-\frac{v}{\tau}"),
        ("E_L - v", r"E_{\mathrm{L}} - v"),
        ("g*m*m*m*h", r"g \, m^{3} \, h"),
        ("120*mV", r"120 \, \mathrm{mV}"),
        ("2*uS + 3*Mohm", r"2 \, \mathrm{\mu S} + 3 \, \mathrm{M\Omega}"),
        ("2e-12*x", r"2 \cdot 10^{-12} \, x"),
        ("v > theta and not (u <= 1 or u == 2)",
         r"v > \theta \text{ and } \text{not } \left( u \le 1 \text{ or } u = 2 \right)"),
        ("int(not_refractory)", r"\left[ \text{not refractory} \right]"),
        ("clip(v, -inf, sqrt(2))", r"\mathrm{clip}\left( v, -\infty, \sqrt{2} \right)"),
    ],
)  # fmt: skip
def test_as_a_paper_writes_it(text: str, typeset: str) -> None:
    assert latex(text) == typeset


def test_a_variable_may_be_called_as_a_unit_is() -> None:
    assert latex("mV*nS", own={"mV"}) == r"\mathit{mV} \, \mathrm{nS}"


@pytest.mark.parametrize(
    ("name", "typeset"),
    [
        ("v", "v"), ("tau_m", r"\tau_{m}"), ("I2", "I_{2}"), ("gNa", r"\mathit{gNa}"),
        ("tau_adapt", r"\tau_{\mathrm{adapt}}"), ("g_max_1", r"g_{\mathrm{max}, 1}"),
        ("Delta_T", r"\Delta_{\mathrm{T}}"),
    ],
)  # fmt: skip
def test_symbols(name: str, typeset: str) -> None:
    assert symbol(name) == typeset


@pytest.mark.parametrize("name", available())
def test_every_model_can_be_presented(name: str) -> None:
    model = load_neuron(name)
    rows = {row.name: row for row in symbols(model)}
    assert {name: rows[name].value for name in model.parameters} == {
        name: model.initial_state.get(name, text) for name, text in model.parameters.items()
    }
    assert {row.name for row in rows.values() if row.bounds} == set(model.trainable)
    moving = [symbol(name) for name, row in rows.items() if row.kind != "parameter"]
    heads = [line.partition(" &= ")[0] for line in dynamics(model)]
    assert moving
    assert [re.sub(r"\\frac\{d(.*)\}\{dt\}", r"\1", head) for head in heads] == moving
    assert (firing(model) is None) == (model.threshold is None)
