"""Every code block and every command of README.md and docs/ runs as it is printed."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bioae.cli import main
from bioae.networks import NetworkConfig
from bioae.trainers import TrainingConfig

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Smaller arguments for the tests, and a target that compiles nothing.
SMALLER = {
    "simulate": {"--target": "numpy", "--limit": "2"},
    "parity": {"--target": "numpy", "--neurons": "20", "--steps": "50", "--examples": "2"},
    "parity run/model": {"--target": "numpy", "--examples": "2"},
    "parity sae-mnist": {"--target": "numpy", "--examples": "2"},
    "neurons check": {"--target": "numpy"},
}
# Has a separate test.
TESTED_ELSEWHERE = ("bioae demo",)
# Commands that ran on an earlier page: one line needs to run once.
DONE: set[str] = set()


def ids(page: Path) -> str:
    return page.name


def blocks(page: Path, language: str) -> list[str]:
    """Return the texts of a page's fenced blocks in one language, in order."""
    found = _FENCE.findall(page.read_text(encoding="utf-8"))
    return [text for kind, text in found if kind == language]


def commands(page: Path) -> list[str]:
    """Return the commands of a page: lines of shell blocks, and the first column of its tables."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    cells = re.findall(r"^\| `(bioae [^`]+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    lines += cells if page.name in {"README.md", "command-line.md"} else []
    return [line for line in lines if line and line not in TESTED_ELSEWHERE]


def run(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    line, _, output = command.partition(" > ")
    program, *arguments = shlex.split(line, comments=True)
    assert program == "bioae", command
    smaller = SMALLER.get(" ".join(arguments[:2])) or SMALLER.get(arguments[0], {})
    for option, value in smaller.items():
        if option in arguments:
            arguments[arguments.index(option) + 1] = value
        else:
            arguments += [option, value]
    status = main(arguments)
    printed = capsys.readouterr()
    assert status == 0, f"{command}\n{printed.err}"
    if output:
        Path(output).write_text(printed.out, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=ids)
def test_commands(page: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "result.nc").unlink()  # a page that reads it writes it first
    for command in commands(page):
        if command not in DONE or needed_later(command, page):
            run(command, capsys)
    DONE.update(commands(page))


def needed_later(command: str, page: Path) -> bool:
    """Return whether a command of the page that has not run yet names the output of this one."""
    output = re.search(r"(?:--out|>) (\S+)", command)
    return output is not None and any(
        output[1] in later for later in commands(page) if later != command and later not in DONE
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=ids)
def test_python_blocks(page: Path, workplace: Path) -> None:
    # Blocks of a page share their names.
    names: dict[str, Any] = {"__name__": "page"}
    for text in blocks(page, "python"):
        exec(compile(text, str(page), "exec"), names)


@pytest.mark.slow
def test_blocks_print_what_follows_them(capsys: pytest.CaptureFixture[str]) -> None:
    pattern = re.compile(r"^```python\n([^`]*?)^```\n\n```text\n([^`]*?)^```$", re.MULTILINE)
    pairs = [pair for page in PAGES for pair in pattern.findall(page.read_text(encoding="utf-8"))]
    assert pairs
    for code, printed in pairs:
        exec(code, {"__name__": "page"})
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")], ids=ids)
def test_toml_blocks(page: Path) -> None:
    for text in blocks(page, "toml"):
        values = tomllib.loads(text)
        if "training" in values and "network" in values:
            TrainingConfig.from_mapping(values, where=str(page))
        elif {"layers", "populations"} & values.get("network", {}).keys():
            NetworkConfig.from_mapping(values["network"], where=str(page))


def test_rows_of_tables_have_the_columns_of_their_heads() -> None:
    rows = 0
    for page in PAGES:
        for table in re.findall(r"(?:^\|.*\|\n)+", page.read_text(encoding="utf-8"), re.MULTILINE):
            head, line, *body = (row.replace(r"\|", "").count("|") for row in table.splitlines())
            assert line == head, f"{page.name}: {table[:80]}"
            assert set(body) == {head}, f"{page.name}: {table[:80]}"
            rows += len(body)
    assert rows > 200


def test_links_have_targets() -> None:
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
    links = [
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if "://" not in link and not link.startswith("../../actions/")  # of GitHub
    ]
    assert len(links) > 30
    for page, link in links:
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if heading:
            assert heading in anchors(target), f"{page.name}: {link}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings and labels, as GitHub and Sphinx make them."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^\((.+)\)=$", text, re.MULTILINE))
