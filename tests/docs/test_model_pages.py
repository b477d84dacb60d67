"""The pages of the neuron models are those of their files, and of stored numbers of these."""

from __future__ import annotations

import importlib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bioae.equations import available, load_model

DOCS = Path(__file__).parents[2] / "docs"
AGAIN = "run python docs/make_models.py"

OWN = """
description = "A neuron of one's own."
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


@pytest.fixture(scope="module")
def scripts() -> Iterator[SimpleNamespace]:
    """Return the scripts of the documentation, which are no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield SimpleNamespace(
            make=importlib.import_module("make_models"),
            responses=importlib.import_module("model_pages.responses"),
            pictures=importlib.import_module("model_pages.pictures"),
        )


def test_every_model_has_a_page_and_every_page_a_model(scripts: SimpleNamespace) -> None:
    assert len(available()) >= 6
    for folder, ending in (("models", ".md"), ("results/models", ".json")):
        names = {path.name.removesuffix(ending) for path in (DOCS / folder).iterdir()}
        assert names - {"index"} == set(available()), AGAIN
    drawn = {path for name in available() for path in scripts.make.pictures_of(name)}
    assert set((DOCS / "images/models").iterdir()) <= drawn


def test_the_index_is_that_of_the_models(scripts: SimpleNamespace) -> None:
    assert (DOCS / "models/index.md").read_text(encoding="utf-8") == scripts.make.index_page(), (
        AGAIN
    )


@pytest.mark.parametrize("name", available())
def test_a_page_is_that_of_its_model(name: str, scripts: SimpleNamespace) -> None:
    model = load_model(name)
    found = scripts.responses.read(scripts.make.numbers_of(name))
    assert found["model_sha256"] == scripts.responses.digest(model), AGAIN
    assert found["command"] == scripts.responses.COMMAND
    page = (DOCS / f"models/{name}.md").read_text(encoding="utf-8")
    assert page == scripts.make.page_of(model), AGAIN
    picture, thumbnail = scripts.make.pictures_of(name)
    for path in (picture, thumbnail) if model.threshold else (picture,):
        text = path.read_text(encoding="utf-8")
        assert text.endswith(f"{scripts.pictures.mark(found)}\n"), AGAIN
        assert len(text) < 100_000


@pytest.mark.parametrize("name", available())
def test_stored_numbers_show_something(name: str, scripts: SimpleNamespace) -> None:
    found = scripts.responses.read(scripts.make.numbers_of(name))
    before = found["step"]["off_on_off_ms"][0]
    for state in found["step"]["states"].values():
        assert len(state["values"]) == len(found["step"]["time_ms"]) > 300
    moving = [max(s["values"]) > min(s["values"]) for s in found["step"]["states"].values()]
    assert any(moving)
    if load_model(name).threshold is not None:
        rates = np.array(found["rate"]["rate_hz"])
        assert rates[0] == 0
        assert rates.max() > 20
        assert len(found["step"]["spikes_ms"]) >= 3
        assert min(found["step"]["spikes_ms"]) >= before


def test_stored_numbers_are_measured_again(scripts: SimpleNamespace) -> None:
    stored = scripts.responses.read(scripts.make.numbers_of("lif"))
    again: dict[str, Any] = scripts.responses.measure(load_model("lif"))
    np.testing.assert_allclose(again["rate"]["rate_hz"], stored["rate"]["rate_hz"], atol=0.5)
    for key in ("time_ms", "spikes_ms"):
        np.testing.assert_allclose(again["step"][key], stored["step"][key], atol=0.2)
    values = (numbers["step"]["states"]["v"]["values"] for numbers in (again, stored))
    np.testing.assert_allclose(*values, rtol=1e-3, atol=1e-3)


def test_a_page_of_ones_own_model(
    scripts: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripts.responses, "COUNTED", "700*ms")
    file = tmp_path / "own.toml"
    file.write_text(OWN, encoding="utf-8")
    scripts.make.make(load_model(file), tmp_path, file="../own.toml")
    page = (tmp_path / "models/own.md").read_text(encoding="utf-8")
    for part in (
        r"\frac{dv}{dt} &= \frac{E_{\mathrm{L}} - v + R \, I}{\tau_{m}} \quad \text{(unless ",
        r"It fires where $v > V_{\mathrm{T}}$; then $v \leftarrow E_{\mathrm{L}}$.",
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

    # What is stored is kept as long as the model stays as it is.
    numbers = scripts.make.numbers_of("own", tmp_path)
    before = numbers.read_text(encoding="utf-8")
    numbers.write_text(before.replace('"numpy"', '"NumPy"'), encoding="utf-8")
    scripts.make.make(load_model(file), tmp_path, file="../own.toml")
    assert '"NumPy"' in numbers.read_text(encoding="utf-8")
    file.write_text(OWN.replace("0.3*nA", "0.6*nA"), encoding="utf-8")
    scripts.make.make(load_model(file), tmp_path, file="../own.toml")
    after = scripts.responses.read(numbers)
    assert "NumPy" not in after["versions"]
    assert (
        after["step"]["drive_per_ms"]
        < 0.7 * scripts.responses.json.loads(before)["step"]["drive_per_ms"]
    )
