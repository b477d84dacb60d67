"""Figures of the full sweeps of this folder, which `docs/results/robustness.json` keeps.

Each sweep runs in `make test` with few cases, and in `make test-all` with all of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bioae.files import atomic_output

FIGURES = Path(__file__).parents[2] / "docs/results/robustness.json"


@pytest.fixture
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that stores a sweep's figures by name; of a small sweep, none."""
    full = request.node.get_closest_marker("slow") is not None

    def store(name: str, **numbers: float | str) -> None:
        if not full:
            return
        with FileLock(tmp_path_factory.getbasetemp().parent / "figures.lock"):
            stored = json.loads(FIGURES.read_text("utf-8")) if FIGURES.is_file() else {}
            stored[name] = numbers
            with atomic_output(FIGURES, overwrite=True) as temporary:
                text = json.dumps(dict(sorted(stored.items())), indent=1)
                temporary.write_text(f"{text}\n", encoding="utf-8")

    return store
