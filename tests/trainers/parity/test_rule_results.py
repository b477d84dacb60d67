"""The stored comparisons of shipped rules over many presentations: complete, and passed."""

from __future__ import annotations

from itertools import product

from make_rule_parity import NEURONS, SIZE, TABLE, stored, table

from bioae.equations import available_synapses, load_neuron, load_synapse
from bioae.equations.lowering.lowering import lower
from bioae.equations.synapses.lowering import lower_synapse


def test_every_rule_passed_after_a_thousand_presentations() -> None:
    reports = stored()
    found = {(each["model"], each["neuron"], each["target"]) for each in reports}
    assert found >= set(product(available_synapses(), NEURONS, ["cpp_standalone", "numpy"]))
    for report in reports:
        assert report["passed"], report
        for name in ("neurons", "steps", "examples"):
            assert report[name] == SIZE[name]
        assert report["active_fraction"] >= 0.5
        assert report["changed"] > 0.1
        rule = lower_synapse(load_synapse(report["model"]))
        exact = rule.reproducible and lower(load_neuron(report["neuron"])).reproducible
        assert report["exact"] == exact
        if exact:
            assert report["differing"] == report["differing_weights"] == 0
    assert TABLE.read_text(encoding="utf-8") == table(reports)
