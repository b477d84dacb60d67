"""Rules of imports between the parts, checked on the sources, and their exports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import networkx as nx
import pytest
from import_graph import LINKED, RESEARCH, ROOT, Sources

SOURCES = Sources()
PACKAGES = [name for name, path in SOURCES.paths.items() if path.with_suffix(".pyi").exists()]

# Composition roots put the parts together: they may import every part, and no part imports them.
ROOTS = (
    "bioae.cli", "experiments", "bioae.configuration", "bioae.runs.rules.measures",
    "bioae.runs.rules.trainer", "bioae.api", "bioae.sklearn", "bioae.__main__", RESEARCH,
)  # fmt: skip
FACE = "bioae"  # names the parts, and imports them lazily
CORE = "bioae"  # the files of no other part and no root
COMMON = (
    "bioae.checks", "bioae.errors", "bioae.extras", "bioae.fields", "bioae.files",
    "bioae.firing_names", "bioae.hdf5", "bioae.inputs", "bioae.progress", "bioae.showing",
    "bioae.spike_times", "bioae.unit_text", "bioae.units",
)  # fmt: skip

# What each part may import besides itself.
ALLOWED = {
    "bioae.equations": COMMON,
    "bioae.analysis": (*COMMON, "bioae.simulation.results"),  # the format that it reads
    "bioae.trainers": (CORE, "bioae.equations"),
    CORE: ("bioae.equations",),
    # They know Brian2 and one another, and no network.
    "bioae.simulation.sharing": ("bioae.simulation.brian2_internals",),
    "bioae.simulation.brian2_internals": ("bioae.simulation.sharing",),
}
# Packages of which a part imports exported names only.
EXPORTS = {"bioae.trainers": ("bioae.analysis",)}
# Libraries that a part may not import at all.
FORBIDDEN = {
    "bioae.equations": {"torch", "matplotlib", "sklearn", "xarray"},
    "bioae.analysis": {"torch", "brian2"},
    CORE: {"torch"},
}
# The longest chain of files that import one another, without packages' lists of their folders.
LONGEST_CHAIN = 16
# The longest chain of rooms (folders and single files) in bioae/simulation.
DEEPEST_ROOMS = 6


def is_below(name: str, parts: tuple[str, ...]) -> bool:
    return f"{name}.".startswith(tuple(f"{part}." for part in parts))


def files_of(part: str) -> list[str]:
    """Return the modules of a part, or one module."""
    linked = tuple(f"bioae.{name}" for name in LINKED)
    if part == CORE:
        return [name for name in SOURCES.paths if not is_below(name, (*linked, *ROOTS))]
    return [name for name in SOURCES.paths if is_below(name, (part,))]


@pytest.mark.medium
@pytest.mark.parametrize("part", ALLOWED)
def test_parts_import_only_what_is_below_them(part: str) -> None:
    files = [name for name in files_of(part) if name != FACE]
    assert files
    allowed = {name for each in (part, *ALLOWED[part]) for name in files_of(each)}
    edges = [
        (name, home)
        for name in files
        for module, alias in SOURCES.names(name)
        if module not in EXPORTS.get(part, ()) and (home := SOURCES.home(module, alias)) is not None
    ]
    assert edges
    assert [edge for edge in edges if edge[1] not in allowed] == []


@pytest.mark.parametrize("part", FORBIDDEN)
def test_parts_keep_away_from_heavy_libraries(part: str) -> None:
    files = files_of(part)
    assert files
    wrong = [
        (name, module)
        for name in files
        for module, _ in SOURCES.names(name)
        if module.split(".")[0] in FORBIDDEN[part]
    ]
    assert wrong == []


@pytest.mark.parametrize("root", ROOTS)
def test_no_part_imports_a_composition_root(root: str) -> None:
    importers = [a for a, b in SOURCES.graph.edges if is_below(b, (root,))]
    assert [name for name in importers if name != FACE and not is_below(name, ROOTS)] == []


def test_the_product_never_imports_research() -> None:
    importers = {a for a, b in SOURCES.graph.edges if is_below(b, (RESEARCH,))}
    assert importers
    assert [name for name in importers if not is_below(name, (RESEARCH,))] == []


def test_no_import_cycles() -> None:
    assert SOURCES.graph.number_of_edges() > len(SOURCES.paths)
    circles = [sorted(c) for c in nx.strongly_connected_components(SOURCES.graph) if len(c) > 1]
    assert circles == []


def test_chains_of_imports_are_short() -> None:
    product = [name for name in SOURCES.paths if not is_below(name, (RESEARCH,))]
    graph = SOURCES.graph.subgraph(product).copy()
    listed = [(a, b) for a, b in graph.edges if a in PACKAGES and b.rpartition(".")[0] == a]
    graph.remove_edges_from(listed)
    chain = nx.dag_longest_path(nx.condensation(graph))
    assert len(chain) <= LONGEST_CHAIN, chain


def test_rooms_of_the_simulation_are_acyclic_and_shallow() -> None:
    def room(name: str) -> str:
        return name.split(".")[2]

    inside = [name for name in SOURCES.paths if name.startswith("bioae.simulation.")]
    rooms: nx.DiGraph[str] = nx.DiGraph(
        (room(a), room(b)) for a, b in SOURCES.graph.subgraph(inside).edges if room(a) != room(b)
    )
    assert rooms.number_of_edges() > 5
    assert nx.is_directed_acyclic_graph(rooms), nx.find_cycle(rooms)
    assert len(nx.dag_longest_path(rooms)) <= DEEPEST_ROOMS


def test_modules_import_no_private_names() -> None:
    imported = [(name, *each) for name in SOURCES.paths for each in SOURCES.names(name)]
    wrong = [
        each
        for each in imported
        if each[1].startswith(("bioae", RESEARCH)) and re.match("_(?!_)", each[2])
    ]
    assert wrong == []


@pytest.mark.parametrize("name", PACKAGES)
def test_exports_of_packages_can_be_imported(name: str) -> None:
    package = import_module(name)
    assert package.__all__
    for exported in package.__all__:
        value = getattr(package, exported)
        assert getattr(value, "__module__", name).startswith(name), exported
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


@pytest.mark.medium
def test_importing_bioae_reaches_its_folders_and_imports_none_of_them() -> None:
    code = (
        "import sys, bioae\n"
        "heavy = {'importlib.metadata', 'numpy', 'xarray', 'bioae.analysis', 'bioae.networks'}\n"
        "assert not heavy & set(sys.modules)\n"
        "assert all(getattr(bioae, name).__name__ == f'bioae.{name}' for name in "
        "('errors', 'datasets', 'analysis', 'trainers'))\n"
        "bioae.analysis.plots.rasters, bioae.analysis.exports.to_neo\n"
        "print(bioae.__version__)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == version("bioae")


def test_every_module_has_a_docstring() -> None:
    assert [name for name, tree in SOURCES.trees.items() if not ast.get_docstring(tree)] == []


def test_the_targets_are_listed_once() -> None:
    lists = [
        name
        for name, tree in SOURCES.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node).startswith("Literal['numpy'")
    ]
    assert lists == ["bioae.simulation.backend"]


@pytest.mark.parametrize("name", LINKED)
def test_links_lead_to_the_folders(name: str) -> None:
    link = ROOT / "bioae" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name
    assert not link.readlink().is_absolute()
