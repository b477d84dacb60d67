"""Compare every shipped model with Brian2, on every target that needs no more than a compiler.

python docs/make_parity.py

The results name the code that they vouch for by a hash, which a test compares with the sources.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
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

#: The code that decides whether the mirror and Brian2 agree: models, programs, networks, and both
#: sides.
VOUCHED = (
    "equations/*.py", "equations/arrays/**/*.py", "equations/lowering/**/*.py",
    "equations/neurons/*.toml", "trainers/mirror/*.py", "trainers/mirror/connections/pathways.py",
    "trainers/mirror/connections/functional.py", "trainers/mirror/connections/layer_pathways.py",
    "trainers/parity/*.py", "bioae/noise/**/*",
    "bioae/networks/**/*.py", "bioae/simulation/brian2_internals/**/*",
    "bioae/simulation/objects/**/*", "bioae/simulation/code_runners/**/*",
    "bioae/simulation/sharing/**/*",
)  # fmt: skip


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
        "code": vouched_code(),
        "versions": {name: version(name) for name in ("brian2", "numpy", "torch")},
        "reports": [report.to_json() for report in reports],
    }
    write_text(PATH, json.dumps(results, indent=1) + "\n", overwrite=True)
    if not all(report.passed for report in reports):
        raise SystemExit("a comparison failed")


def vouched_code(root: Path = ROOT) -> str:
    """Return the hash of the code in `VOUCHED`.

    Comments, docstrings, imports, and the order and files of definitions do not count.
    """
    parts: list[str] = []
    for pattern in VOUCHED:
        paths = [path for path in sorted(root.glob(pattern)) if "__pycache__" not in path.parts]
        if not paths:
            raise FileNotFoundError(f"{pattern} matches no file: adapt VOUCHED")
        for path in paths:
            if path.suffix == ".py":
                parts += definitions(path.read_text(encoding="utf-8"))
            elif path.is_file():
                parts.append(path.read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(sorted(set(parts))).encode()).hexdigest()


def definitions(source: str) -> Iterator[str]:
    """Yield the top-level statements of a module in a form independent of Python's version."""
    for node in ast.parse(source).body:
        exports = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        if not (exports or _is_text(node) or isinstance(node, ast.Import | ast.ImportFrom)):
            yield _form(node)


def _form(value: object) -> str:
    """Return a node without empty fields, positions and docstrings."""
    if isinstance(value, list):
        return f"[{','.join(_form(each) for each in value if not _is_text(each))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    fields = ((name, each) for name, each in ast.iter_fields(value) if each not in (None, []))
    return f"{type(value).__name__}({','.join(f'{name}={_form(each)}' for name, each in fields)})"


def _is_text(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


if __name__ == "__main__":
    main()
