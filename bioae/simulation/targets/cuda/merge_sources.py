"""Few sources for nvcc: each takes it seconds to open, and brian2cuda writes dozens."""

from __future__ import annotations

import re
from pathlib import Path

from bioae.simulation.targets.merge_sources import join

__all__ = ["join_sources"]

#: Of how many sources of code objects one is made, and into how many at most.
_JOINED, _MOST_UNITS = 12, 4

_SOURCES = re.compile(r"^SRCS = (.*)$", re.MULTILINE)

#: Where helpers stand in no namespace: in what is done once before a run.
_BEFORE_RUN = re.compile(
    r"^(///// Support code /////)$(.*?)(?=^void _before_run_)", re.MULTILINE | re.DOTALL
)


def join_sources(folder: Path) -> None:
    """Join the sources of a project's code objects into a few, in its makefile too."""
    makefile = folder / "makefile"
    text = makefile.read_text(encoding="utf-8")
    found = _SOURCES.search(text)
    assert found is not None
    written = found[1].split()
    joinable = [name for name in written if name.startswith("code_objects/")]
    joined = join(
        folder, joinable, each=_JOINED, most=_MOST_UNITS, suffix=".cu", enclosed=_enclosed
    )
    sources = [*joined, *(name for name in written if name not in joinable)]
    text = _SOURCES.sub(f"SRCS = {' '.join(sources)}", text)
    makefile.write_text(text, encoding="utf-8")


def _enclosed(source: str, namespace: str) -> str:
    """Put what is done once before a run into the namespace too."""
    source = _BEFORE_RUN.sub(rf"\1\nnamespace {namespace} {{\2}}\n", source)
    return f"namespace {namespace} {{ }}\n{source}"
