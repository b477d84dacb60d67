"""Fits of recordings by bioae, by differential evolution and by Jaxley.

``python -m benchmarks.fitting FOLDER`` fits each case with each method that can, for 5 seeds, and
writes each result to ``docs/results/fitting.json`` and the tables of the page as soon as it is
known. Times are processor times, without compilation.
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path

from benchmarks.fitting.cases import load_cases
from benchmarks.fitting.methods import Fit, methods
from benchmarks.fitting.tables import write_tables
from benchmarks.stored import DOCS_RESULTS, Stored, parser
from benchmarks.subprocesses import Subprocess

_COMMAND = "python -m benchmarks.fitting"
_SEEDS = range(5)


def main() -> None:
    """Run each fit, and write each result as soon as it is available."""
    arguments = parser(_COMMAND, __doc__)
    arguments.add_argument("folder", type=Path, help="the folder of the recordings")
    arguments.add_argument("--cases", nargs="*", help="names of cases, or beginnings of them")
    arguments.add_argument("--methods", nargs="*", help="names of methods, or beginnings of them")
    arguments.add_argument("--seeds", type=int, nargs="*", default=[*_SEEDS])
    arguments.add_argument(
        "--held-out", action="store_true", help="score the fitted parameters on data left out"
    )
    options = arguments.parse_args()
    cases = load_cases(options.folder)
    stored = Stored(DOCS_RESULTS / "fitting.json", _COMMAND)
    keys = [
        {"case": name, "method": method, "seed": seed}
        for seed, (name, case) in product(options.seeds, cases.items())
        for method in methods(case)
        if _chosen(name, options.cases) and _chosen(method, options.methods)
    ]
    os.environ["PYTHONHASHSEED"] = "0"  # the order of brian2modelfitting's parameters is a set's
    for key in stored.pending(keys, resume=options.resume):
        with Subprocess(Fit(options.folder, **key)) as work:
            row = {**key, **work()}
        if cases[row["case"]].recording.voltage is None:
            (row["scores"],) = cases[row["case"]].scores([row["parameters"]])
        stored.add(row)
        print({name: row[name] for name in row if name not in ("curve", "ends")}, flush=True)
        write_tables(stored.rows)
    for name, case in cases.items():
        rows = [row for row in stored.rows if row["case"] == name and "held_out" not in row]
        if options.held_out and case.tests and rows:
            scores = case.scores([row["parameters"] for row in rows], held_out=True)
            for row, each in zip(rows, scores, strict=True):
                row["held_out"] = each
            stored.add()
    write_tables(stored.rows)


def _chosen(name: str, beginnings: list[str] | None) -> bool:
    return beginnings is None or name.startswith(tuple(beginnings))


if __name__ == "__main__":
    main()
