"""Data flows one way: which part may import which, read from the sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINKS = ("equations", "trainers", "analysis")

# What of bioae each part may import besides itself; and which libraries it may not import at all.
COMMON = ("errors", "files", "lazy", "validation")
ALLOWED = {
    "equations": COMMON,
    "analysis": (*COMMON, "simulation.result"),  # the form of the files that it reads
}
FORBIDDEN = {
    "equations": {"torch", "matplotlib", "sklearn", "xarray"},
    "analysis": {"torch", "brian2"},
    "bioae": {"torch"},
}


def sources(part: str) -> list[Path]:
    """Return the Python files of a part; for bioae, those that are not behind a link or the CLI."""
    folder = ROOT / part
    skipped = [folder / name for name in (*LINKS, "cli")] if part == "bioae" else []
    return [
        path for path in folder.rglob("*.py") if not any(path.is_relative_to(s) for s in skipped)
    ]


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module or name that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", ALLOWED)
def test_parts_import_only_what_is_below_them(part: str) -> None:
    allowed = tuple(f"bioae.{name}." for name in (*ALLOWED[part], part))
    files = sources(part)
    assert files
    wrong = [
        (path.name, name)
        for path in files
        for name in imports(path)
        if name.startswith("bioae.") and not f"{name}.".startswith(allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize("part", FORBIDDEN)
def test_parts_keep_away_from_heavy_libraries(part: str) -> None:
    files = sources(part)
    assert files
    wrong = [
        (path.name, name)
        for path in files
        for name in imports(path)
        if name.split(".")[0] in FORBIDDEN[part]
    ]
    assert wrong == []


def test_the_core_does_not_import_what_is_built_on_it() -> None:
    face = ROOT / "bioae" / "__init__.py"  # names the parts for type checkers, and imports none
    wrong = [
        (path.name, name)
        for path in sources("bioae")
        for name in imports(path)
        if path != face and name.startswith(("bioae.trainers", "bioae.analysis"))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", LINKS)
def test_links_lead_to_the_folders(name: str) -> None:
    link = ROOT / "bioae" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name
    assert not link.readlink().is_absolute()
