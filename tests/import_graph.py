"""The graph of the files that import one another, read from their sources.

Every import counts: at the top, in a function, and for type checkers only. A name that a package
re-exports leads to the file that defines it; the ``__init__`` of a package is a node only where the
package is imported as a module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
#: Folders at the top that are installed below `bioae`, through links.
LINKED = ("equations", "trainers", "analysis")
#: The folder of research, which is not installed.
RESEARCH = "experiments"


class Sources:
    """The files of the package by module name, and their imports."""

    def __init__(self, root: Path = ROOT) -> None:
        self.paths = dict(_modules(root))

    @cached_property
    def trees(self) -> Mapping[str, ast.Module]:
        """The syntax tree of each file; of a package with a stub, those of both, joined."""
        return {
            name: ast.parse("\n".join(f.read_text(encoding="utf-8") for f in files if f.exists()))
            for name, path in self.paths.items()
            for files in [(path, path.with_suffix(".pyi"))]
        }

    @cached_property
    def reexports(self) -> Mapping[str, Mapping[str, str]]:
        """The module from which each package imports a name, by package and name."""
        return {
            name: {alias: module for module, alias in self.names(name) if module != name}
            for name, path in self.paths.items()
            if path.name == "__init__.py"
        }

    @cached_property
    def graph(self) -> nx.DiGraph[str]:
        """An edge from each module to each module that it imports."""
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self.paths)
        for name in self.paths:
            for module, alias in self.names(name):
                home = self.home(module, alias)
                if home is not None and home != name:
                    graph.add_edge(name, home)
        return graph

    def home(self, module: str, alias: str) -> str | None:
        """Return the module that defines an imported name, if it is part of the package."""
        if f"{module}.{alias}" in self.paths:
            return f"{module}.{alias}"
        passed = self.reexports.get(module, {})
        if alias in passed:
            return self.home(passed[alias], alias)
        return module if module in self.paths else None

    def names(self, name: str) -> Iterator[tuple[str, str]]:
        """Yield the module and the name of everything that a file imports."""
        package = name if self.paths[name].name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(self.trees[name]):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    parent, _, last = alias.name.rpartition(".")
                    yield parent or alias.name, last
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                if node.level:
                    module = ".".join(filter(None, (package, module)))
                for alias in node.names:
                    yield module, alias.name


def _modules(root: Path) -> Iterator[tuple[str, Path]]:
    links = [root / "bioae" / name for name in LINKED]
    for part in ("bioae", *LINKED, RESEARCH):
        for path in sorted((root / part).rglob("*.py")):
            if any(path.is_relative_to(link) for link in links):
                continue
            parts = path.relative_to(root).with_suffix("").parts
            parts = ("bioae", *parts) if part in LINKED else parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path
