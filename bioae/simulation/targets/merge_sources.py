"""Few sources in place of many: a compiler takes far longer to open one than to compile it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["join"]

_HELPERS = re.compile(r"^namespace \{", re.MULTILINE)
_MACROS = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
_BODY = "using namespace brian;"


def join(
    folder: Path,
    names: Sequence[str],
    *,
    each: int,
    most: int,
    suffix: str,
    enclosed: Callable[[str, str], str] = lambda source, _: source,
) -> list[str]:
    """Write the sources of code objects into a few, and return their names.

    Parameters
    ----------
    folder
        The project's.
    names
        The sources, in it.
    each, most
        Of how many one is made, and into how many at most.
    suffix
        What the new ones end in.
    enclosed
        What else is done to a source to keep it to a namespace: takes both.
    """
    count = min(most, -(-len(names) // each))
    units = []
    for unit in range(count):
        parts = [
            _apart(
                (folder / name).read_text(encoding="utf-8"), f"bioae_part{unit}_{number}", enclosed
            )
            for number, name in enumerate(names[unit::count])
        ]
        (folder / f"unit{unit}{suffix}").write_text("\n".join(parts), encoding="utf-8")
        units.append(f"unit{unit}{suffix}")
    return units


def _apart(source: str, namespace: str, enclosed: Callable[[str, str], str]) -> str:
    """Keep a source's helpers and macros to itself: each source has the same ones."""
    source = _HELPERS.sub(f"namespace {namespace} {{", source)
    source = enclosed(source, namespace)
    source = source.replace(_BODY, f"{_BODY} using namespace {namespace};")
    forgotten = (f"#undef {macro}" for macro in sorted(set(_MACROS.findall(source))))
    return "\n".join([source, *forgotten])
