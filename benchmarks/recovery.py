"""Recovery of the parameters of neuron models from their spikes.

``python -m benchmarks.recovery`` writes ``docs/results/recovery.json`` and the table of the page.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import torch

from benchmarks.stored import DOCS_RESULTS, Stored, parser
from bioae.equations.library import load_neuron
from bioae.equations.lowering.lowering import lower
from bioae.files import write_text
from bioae.trainers.fitting import Recovery, recover

__all__ = ["CASES", "Case", "run", "table"]

_COMMAND = "python -m benchmarks.recovery"
_SEEDS = range(3)
_FACTORS = (2.0, 0.5)


@dataclass(frozen=True)
class Case:
    """The parameters of a model to recover together: time constants, thresholds and adaptation.

    Attributes
    ----------
    parameters
        The trained parameters; the others are known.
    origins, options
        See `bioae.trainers.fitting.recover`.
    """

    parameters: tuple[str, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "lif": Case(("tau", "theta")),
    "cuba": Case(("tau", "tau_syn", "theta")),
    "alif": Case(("tau", "tau_adapt", "theta", "beta")),
    # With the leak known, the capacitance is the membrane's time constant.
    "adex": Case(("C", "tau_w", "tau_syn", "V_T"), {"V_T": "E_L"}),
}


def main() -> None:
    """Recover the parameters of each model, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("models", nargs="*", default=[*CASES], help="neuron models")
    options = arguments.parse_args()
    torch.set_num_threads(1)
    stored = Stored(DOCS_RESULTS / "recovery.json", _COMMAND)
    keys = [
        {"model": model, "factor": factor, "seed": seed}
        for model, factor, seed in product(options.models, _FACTORS, _SEEDS)
    ]
    for key in stored.pending(keys, resume=options.resume):
        row = run(**key)
        stored.add(row)
        write_text(DOCS_RESULTS / "recovery-table.inc", table(stored.rows), overwrite=True)
        print(
            f"{row['model']} x {row['factor']:g}, seed {row['seed']}: {row['worst']:.2%}",
            flush=True,
        )


def run(model: str, factor: float, seed: int) -> dict[str, Any]:
    """Return one recovery as plain data."""
    case = CASES[model]
    started = time.perf_counter()
    loaded = load_neuron(model)
    recovery: Recovery = recover(
        loaded, case.parameters, factor=factor, origins=case.origins, seed=seed, **case.options
    )
    units = {name: lower(loaded).parameters[name].unit for name in case.parameters}
    return {
        "model": model,
        "factor": factor,
        "seed": seed,
        "options": dict(case.options),
        "units": units,
        **{
            name: getattr(recovery, name) for name in ("true", "start", "found", "origin", "errors")
        },
        "worst": recovery.worst,
        "spikes": recovery.spikes,
        "active_fraction": recovery.active_fraction,
        "agreement_before": recovery.agreement_before,
        "agreement": recovery.agreement,
        "evaluations": recovery.evaluations,
        "seconds": round(time.perf_counter() - started, 1),
    }


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a row per model and parameter: the largest errors over the seeds."""
    lines = [
        "| model | parameter | true (x 2; x 0.5) | base unit | from x 2 | from x 0.5 |",
        "| --- | --- | ---: | --- | ---: | ---: |",
    ]
    rows = list(rows)
    for model in CASES:
        matching = [row for row in rows if row["model"] == model]
        for name in matching[0]["true"] if matching else ():
            true = dict.fromkeys(row["true"][name] for row in matching)
            unit = matching[0]["units"][name]
            values = "; ".join(f"{value:.4g}" for value in true)
            errors = [_worst(matching, factor, name) for factor in _FACTORS]
            lines.append(f"| {model} | `{name}` | {values} | {unit} | {' | '.join(errors)} |")
    return "\n".join(lines) + "\n"


def _worst(rows: Iterable[Mapping[str, Any]], factor: float, name: str) -> str:
    errors = [row["errors"][name] for row in rows if row["factor"] == factor]
    return f"{max(errors):.2%}" if errors else ""


if __name__ == "__main__":
    main()
