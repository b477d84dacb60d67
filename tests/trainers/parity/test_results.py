"""The stored comparisons of every shipped model and rule: complete, and passed."""

from __future__ import annotations

import json
from itertools import product

import pytest
from make_parity import PATH
from make_rule_parity import ALONE, NEURONS, SIZE, stored

from bioae.equations import available, load_neuron, load_synapse
from bioae.equations.lowering.lowering import lower
from bioae.equations.synapses.lowering import lower_synapse
from bioae.trainers.parity import AGREEMENT

pytestmark = pytest.mark.slow


def test_every_spiking_model_passed_on_every_target() -> None:
    content = json.loads(PATH.read_text(encoding="utf-8"))
    found = {(report["model"], report["target"]): report for report in content["reports"]}
    spiking = [name for name in available() if load_neuron(name).threshold is not None]
    assert set(found) == set(product(spiking, ["numpy", "cpp_standalone"]))
    for report in found.values():
        assert report["passed"]
        assert report["active_fraction"] >= 0.5
        assert report["one_step"] == 1.0
        assert report["chaotic"] or report["spike_agreement"] >= AGREEMENT
        assert report["differing"] == 0 or not report["exact"]


def test_every_rule_passed_after_a_thousand_presentations() -> None:
    found = {(each["model"], each["neuron"], each["target"]): each for each in stored()}
    assert set(found) >= set(product(ALONE, NEURONS, ["cpp_standalone", "numpy"]))
    for report in found.values():
        assert report["passed"], report
        assert all(report[name] == SIZE[name] for name in ("neurons", "steps", "examples"))
        assert report["active_fraction"] >= 0.5
        assert report["changed"] > 0.1
        rule = lower_synapse(load_synapse(report["model"]))
        exact = rule.reproducible and lower(load_neuron(report["neuron"])).reproducible
        assert report["exact"] == exact
        assert not exact or report["differing"] == report["differing_weights"] == 0
