"""Few sources for nvcc: each takes it seconds to open, and brian2cuda writes dozens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

__all__ = ["join_sources"]

#: Of how many sources of code objects one is made, and into how many at most.
_JOINED, _MOST_UNITS = 12, 4

_SOURCES = re.compile(r"^SRCS = (.*)$", re.MULTILINE)
_HELPERS = re.compile(r"^namespace \{", re.MULTILINE)
_MACROS = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_BODY = "using namespace brian;"

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
    sources = [*_join(folder, joinable), *(name for name in written if name not in joinable)]
    text = _SOURCES.sub(f"SRCS = {' '.join(sources)}", text)
    makefile.write_text(text, encoding="utf-8")


def _join(folder: Path, names: Sequence[str]) -> list[str]:
    """Write the joined sources, and return their names."""
    count = min(_MOST_UNITS, -(-len(names) // _JOINED))
    units = []
    for unit in range(count):
        parts = [
            _apart((folder / name).read_text(encoding="utf-8"), f"bioae_part{unit}_{number}")
            for number, name in enumerate(names[unit::count])
        ]
        (folder / f"unit{unit}.cu").write_text("\n".join(parts), encoding="utf-8")
        units.append(f"unit{unit}.cu")
    return units


def _apart(source: str, namespace: str) -> str:
    """Keep a source's helpers and macros to itself: each source has the same ones."""
    source = _HELPERS.sub(f"namespace {namespace} {{", source)
    source = _BEFORE_RUN.sub(rf"\1\nnamespace {namespace} {{\2}}\n", source)
    source = source.replace(_BODY, f"{_BODY} using namespace {namespace};")
    forgotten = (f"#undef {macro}" for macro in sorted(set(_MACROS.findall(source))))
    return "\n".join([f"namespace {namespace} {{ }}", source, *forgotten])
