"""Compare every shipped learning rule with Brian2 over a thousand presentations, on two neurons.

python docs/make_rule_parity.py [TARGET ...]

It takes minutes per rule, neuron and target, writes each comparison as it is finished, and goes on
where it stopped. Remove the file of results to begin again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # experiments are not installed

from bioae import parity
from bioae.equations import available_synapses, load_synapse
from bioae.files import write_text
from bioae.showing import markdown_table
from experiments.runner.provenance import provenance

PATH = Path(__file__).resolve().parent / "results" / "rule_parity.json"
TABLE = PATH.with_name("rule_parity-table.inc")
TARGETS: dict[Any, str] = {"cpp_standalone": "C++", "numpy": "NumPy", "cython": "Cython"}
NEURONS = ("lif", "adex")
#: Random networks need a rule that reads nothing of its target's neuron.
ALONE = [name for name in available_synapses() if not load_synapse(name).reads_neuron]
SIZE = {"neurons": 40, "steps": 50, "examples": 1000, "seed": 0}


def main(targets: Sequence[str]) -> None:
    """Run what is missing, and write the results and their table."""
    reports = stored()
    done = {(each["model"], each["neuron"], each["target"]) for each in reports}
    for target, neuron, rule in product(targets or TARGETS, NEURONS, ALONE):
        if (rule, neuron, target) in done:
            continue
        report = parity(load_synapse(rule), target=target, neuron=neuron, **SIZE)
        reports.append({**report.to_json(), "commit": provenance()["commit"]})
        write_text(PATH, json.dumps(reports, indent=1) + "\n", overwrite=True)
        write_text(TABLE, table(reports), overwrite=True)
        print(rule, neuron, target, "passed" if report.passed else "FAILED", flush=True)
    if not all(report["passed"] for report in reports):
        raise SystemExit("a comparison failed")


def stored() -> list[dict[str, Any]]:
    """Return the comparisons that are finished."""
    return json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else []


def table(reports: Sequence[dict[str, Any]]) -> str:
    """Return the table of comparisons, a line for each rule and neuron, in Markdown."""
    head = ("rule", "neuron", "targets", "spikes", "differing", "numbers", "differing")
    rows = []
    for rule, neuron in product(ALONE, NEURONS):
        own = [each for each in reports if (each["model"], each["neuron"]) == (rule, neuron)]
        if own:
            targets = ", ".join(TARGETS[each["target"]] for each in own)
            spikes, numbers = (f"{own[0][name]:,}" for name in ("spikes", "weights"))
            differ = [
                str(max(each[name] for each in own)) for name in ("differing", "differing_weights")
            ]
            rows.append(
                (f"`{rule}`", f"`{neuron}`", targets, spikes, differ[0], numbers, differ[1])
            )
    return f"{markdown_table(head, rows)}\n"


if __name__ == "__main__":
    main(sys.argv[1:])
