"""The site: notebooks run, every public name has an entry, and the build has no warning."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import function_examples
import public_names
import pytest

import bioae

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
NOTEBOOKS = [page for page in PAGES if "file_format: mystnb" in page.read_text(encoding="utf-8")]
_CELL = re.compile(
    r"^```\{code-cell\} python\n(?::\S[^\n]*\n)*(.*?)^```$", re.MULTILINE | re.DOTALL
)
_NAMES = re.compile(r"^```\{names\} (\S+)\n(?::\S[^\n]*\n)*(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Examples in a test of a notebook that the site runs with more.
FEW = 4


def title(page: Path) -> str:
    return str(page.relative_to(DOCS))


def cells(page: Path) -> list[str]:
    """Return the code of a notebook, with few examples."""
    text = page.read_text(encoding="utf-8")
    found = _CELL.findall(text)
    assert len(found) == text.count("```{code-cell}")
    return [
        re.sub(r"\blimit=(\d+)", lambda match: f"limit={min(int(match[1]), FEW)}", cell)
        for cell in (re.sub(r"^%.*", "", cell, flags=re.MULTILINE) for cell in found)
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of snnTorch
@pytest.mark.parametrize("page", NOTEBOOKS, ids=title)
def test_notebooks_run(page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import pyplot as plt
    from matplotlib.figure import Figure

    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, Any] = {"__name__": "notebook"}
    figures = []
    for cell in cells(page):
        tree = ast.parse(cell)
        last = tree.body.pop()
        if not isinstance(last, ast.Expr):
            tree.body.append(last)
        exec(compile(tree, str(page), "exec"), names)
        if isinstance(last, ast.Expr):
            shown = eval(compile(ast.Expression(last.value), str(page), "eval"), names)
            figures += [shown] if isinstance(shown, Figure) else []
    plt.close("all")
    assert figures
    assert all(figure.axes for figure in figures)


def entries() -> list[str]:
    """Return the full names that the pages of the reference document."""
    return [
        f"{module}.{name}"
        for page in (DOCS / "reference").rglob("*.md")
        for module, names in _NAMES.findall(page.read_text(encoding="utf-8"))
        for name in names.split()
    ]


def test_every_public_name_has_one_entry() -> None:
    expected = {*public_names.documented(), *public_names.TYPES}
    assert len(expected) > 300
    assert Counter(entries()) == Counter(expected)


def test_every_public_function_has_an_example() -> None:
    names = [name for name in public_names.documented() if inspect.isroutine(resolve_name(name))]
    assert len(names) > 200
    assert sorted(names) == sorted(function_examples.examples())


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(function_examples.FOLDER.iterdir()), ids=title)
def test_examples_of_functions(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert tried
    assert not failed


def test_every_package_that_exports_names_is_public() -> None:
    packages = [
        each.name
        for each in pkgutil.walk_packages(bioae.__path__, "bioae.")
        if each.ispkg and each.name != "bioae.cli"  # a program
    ]
    assert len(packages) > 30
    homes = public_names.homes()
    missing = [
        f"{package}.{name}"
        for package in packages
        for module in [importlib.import_module(package)]
        for name in getattr(module, "__all__", ())
        if f"{package}.{name}" not in {*homes, *public_names.PACKAGES}
        and public_names.definition(getattr(module, name)) not in homes
    ]
    assert missing == []


def test_names_on_pages_exist() -> None:
    names = [
        (title(page), name)
        for page in PAGES
        for name in re.findall(r"`(bioae(?:\.\w+)+)(?:\(\))?`", page.read_text(encoding="utf-8"))
    ]
    assert len(names) > 30
    assert [each for each in names if not public_names.exists(each[1])] == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_without_the_network(tmp_path: Path) -> None:
    if importlib.util.find_spec("myst_nb") is None:
        pytest.skip("needs the extra 'docs'")
    from sphinx.util.inventory import InventoryFile

    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html"]
    proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")  # nobody listens
    done = subprocess.run(
        [*command, str(DOCS), str(tmp_path)], env=os.environ | proxies, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    inventory = InventoryFile.loads((tmp_path / "objects.inv").read_bytes(), uri="")
    known = {name for kind in inventory.data.values() for name in kind}
    assert set(entries()) <= known
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 50
    loaded = re.compile(
        r"<(?:script|img|iframe)\b[^>]*\bsrc=\"(https?:)?//|<link\b[^>]*\bhref=\"(https?:)?//"
    )
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    assert [name for name, text in texts.items() if loaded.search(text)] == []
    assert [name for name, text in texts.items() if re.search(r"\d+%\|", text)] == []  # bars
    styles = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.css")]
    assert not any(re.search(r"(?:url\(|@import )['\"]?https?:", style) for style in styles)
