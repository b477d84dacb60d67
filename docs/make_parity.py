"""Compare every shipped model with Brian2, on every target that needs no more than a compiler.

python docs/make_parity.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from one_build import survey

from bioae.equations.library import available, load_neuron
from bioae.files import write_text
from bioae.simulation.backend import Target
from bioae.trainers.parity import AGREEMENT

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs" / "results" / "parity.json"
TARGETS: tuple[Target, ...] = ("numpy", "cpp_standalone")
SIZE = {"neurons": 100, "steps": 1000, "examples": 4, "seed": 0}


def main() -> None:
    """Run the comparisons, and write the results."""
    models = [model for model in map(load_neuron, available()) if model.threshold is not None]
    reports = [report for target in TARGETS for report in survey(models, target=target, **SIZE)]
    for report in reports:
        print(
            f"{report.model:16} {report.target:14} {'passed' if report.passed else 'FAILED':8}"
            f"{report.spikes:9,} spikes  differing {report.differing:4}  step by step "
            f"{report.one_step:.6g} ({report.excused} excused)  "
            f"agreement {report.spike_agreement:.6g}"
        )
    results = {
        **SIZE,
        "agreement": AGREEMENT,
        "versions": {name: version(name) for name in ("brian2", "numpy", "torch")},
        "reports": [report.to_json() for report in reports],
    }
    write_text(PATH, json.dumps(results, indent=1) + "\n", overwrite=True)
    if not all(report.passed for report in reports):
        raise SystemExit("a comparison failed")


if __name__ == "__main__":
    main()
