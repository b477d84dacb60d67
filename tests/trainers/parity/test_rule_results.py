"""The stored comparison of every shipped learning rule: complete, and passed."""

from __future__ import annotations

from itertools import product

from make_rule_parity import NEURONS, SIZE, TABLE, stored, table

from bioae.equations import available_synapses


def test_every_rule_passed_after_a_thousand_presentations() -> None:
    reports = {(each["model"], each["neuron"], each["target"]): each for each in stored()}
    for key in product(available_synapses(), NEURONS, ["cpp_standalone"]):
        report = reports[key]
        assert report["passed"], key
        assert {name: report[name] for name in ("neurons", "steps", "examples")} == {
            name: SIZE[name] for name in ("neurons", "steps", "examples")
        }
        assert report["active_fraction"] >= 0.5
        assert report["changed"] > 0.1
        if report["exact"]:
            assert report["differing"] == report["differing_weights"] == 0
    assert TABLE.read_text(encoding="utf-8") == table(stored())
