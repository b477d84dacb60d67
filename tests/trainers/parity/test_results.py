"""The stored comparison of every shipped model: complete, passed, and of the present code."""

from __future__ import annotations

import json
from itertools import product

import pytest
from make_parity import PATH, definitions, vouched_code

from bioae.equations import available, load_neuron
from bioae.trainers.parity import AGREEMENT


def test_every_spiking_model_passed_on_every_target() -> None:
    stored = json.loads(PATH.read_text(encoding="utf-8"))
    assert (stored["neurons"], stored["steps"]) == (100, 1000)
    found = {(report["model"], report["target"]): report for report in stored["reports"]}
    spiking = [name for name in available() if load_neuron(name).threshold is not None]
    assert set(found) == set(product(spiking, ["numpy", "cpp_standalone"]))
    for report in found.values():
        assert report["passed"]
        assert report["active_fraction"] >= 0.5
        assert report["one_step"] == 1.0
        assert report["chaotic"] or report["spike_agreement"] >= AGREEMENT
        assert report["differing"] == 0 or not report["exact"]


def test_the_results_vouch_for_the_present_code() -> None:
    stored = json.loads(PATH.read_text(encoding="utf-8"))
    assert stored.get("code") == vouched_code(), "run python docs/make_parity.py"


CODE = """
import os
def f(a):
    return a + 1
class C:
    x = 2
"""


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (CODE.replace("f(a)", "g(a)"), False),
        (CODE.replace("    return", '    """Return more."""\n    # One more.\n    return'), True),
        (CODE.replace("import os", "import sys\n__all__ = ['f']"), True),
        (CODE.replace("a + 1", "a - 1"), False),
        (CODE.replace("x = 2", "x = 3"), False),
    ],
)
def test_comments_docstrings_and_imports_are_no_code(changed: str, same: bool) -> None:
    assert (sorted(definitions(changed)) == sorted(definitions(CODE))) is same
