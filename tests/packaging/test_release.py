"""Files of a release: versions and bounds agree, and actions are pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RECIPE = (ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8")
# Packages of conda-forge with other names than on the package index.
NAMES = {"lazy_loader": "lazy-loader", "matplotlib": "matplotlib-base"}


def test_actions_are_pinned_to_commits() -> None:
    lines = [
        line
        for path in (ROOT / ".github" / "workflows").iterdir()
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert len(lines) > 10
    pin = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
    assert [line for line in lines if not pin.search(line)] == []


def test_each_file_names_the_same_version() -> None:
    changelog, citation = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("CHANGELOG.md", "CITATION.cff")
    )
    found = [
        re.findall(r"^## ([\d.]+) \(", changelog, re.MULTILINE)[0],
        *re.findall(r"^version: (.+)$", citation, re.MULTILINE),
        *re.findall(r'^  version: "(.+)"$', RECIPE, re.MULTILINE),
    ]
    assert found == [PROJECT["version"]] * 3


def test_each_dependency_has_a_lower_bound() -> None:
    extras = PROJECT["optional-dependencies"]
    tested = [extras[name] for name in ("train", "distributed", "neo", "nwb", "nir")]
    lines = [*PROJECT["dependencies"], *(line for each in tested for line in each)]
    assert len(lines) > 20
    unbounded = [line for line in lines if ">=" not in line.partition(";")[0]]
    assert unbounded == []


def test_the_recipe_has_the_bounds_of_the_package() -> None:
    needs = [Requirement(line) for line in PROJECT["dependencies"]]
    expected = {
        NAMES.get(each.name, each.name): each.specifier
        for each in needs
        if each.marker is None or each.marker.evaluate({"python_version": "3.13"})
    }
    run = RECIPE.partition("  run:\n")[2].partition("\n\n")[0]
    lines = [Requirement(line) for line in re.findall(r"^    - (.+)$", run, re.MULTILINE)]
    assert {each.name: each.specifier for each in lines if each.name != "python"} == expected
