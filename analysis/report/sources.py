"""Results to analyse: files and trees, opened and named."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain, count, permutations
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import xarray as xr

from bioae.analysis.results.layers import TABLES, Source, open_result, readable
from bioae.analysis.results.repeats import presentations
from bioae.analysis.results.spike_tables import read_spikes
from bioae.errors import ResultError, shortened
from bioae.simulation.results.schema import check_result

#: One result or several, each a file or the tree of a simulation, named or not.
Sources: TypeAlias = Source | Sequence[Source] | Mapping[str, Source]

#: The largest file in bytes that is read into memory as a whole.
_SMALL = 2**24


def named_sources(sources: Any) -> dict[str, Source]:
    """Return results by their names; those in memory are numbered, unless they have names."""
    if isinstance(sources, xr.DataTree):  # a mapping, too
        named: dict[str, Any] = {"result": sources}
    elif isinstance(sources, Mapping):
        named = {str(name): each for name, each in sources.items()}
        _check_names(named, len(sources))
    else:
        single = isinstance(sources, Path | str) or not isinstance(sources, Iterable)
        several = [sources] if single else list(sources)
        by_path = _names_of([each for each in several if isinstance(each, Path | str)])
        taken = {part for name in by_path for part in (name, name.partition("/")[0])}
        one = ["result"] if sum(isinstance(each, xr.DataTree) for each in several) == 1 else []
        numbered = chain(one, map("result {}".format, count(1)))
        names, numbers = iter(by_path), (each for each in numbered if each not in taken)
        named = {
            next(numbers if isinstance(each, xr.DataTree) else names, ""): each for each in several
        }
    if not named:
        raise ResultError("there are no results to analyse", expected="at least one file")
    for name, each in named.items():
        if not isinstance(each, Path | str | xr.DataTree):
            raise ResultError(
                "this is not the result of a simulation", where=name or None,
                expected="the path of a file, or the xarray.DataTree of bioae.simulate",
                found=shortened(type(each).__name__),
            )  # fmt: skip
    return named


def _check_names(names: Collection[str], results: int) -> None:
    """Reject names that are the same as groups, or of which one is a group within another."""
    groups = {posixpath.normpath(f"/{name}".replace("//", "/")) for name in names}
    if len(groups) < results:
        raise ResultError("two results have the same name", found=shortened(", ".join(names)))
    for one, other in permutations(groups, 2):
        if other.startswith(f"{one}/"):
            raise ResultError(
                "the name of a result begins with that of another one and '/'", where=other,
                hint=f"Rename {one!r}",
            )  # fmt: skip


def is_table(source: Any) -> TypeGuard[Path | str]:
    """Return whether this is the path of a table of spikes."""
    return isinstance(source, Path | str) and Path(source).suffix.lower() in TABLES


def opened(sources: Mapping[str, Source], stack: ExitStack) -> dict[str, xr.DataTree]:
    """Open files of results until the stack is closed; trees are as they are."""
    results = {}
    for name, source in sources.items():
        if isinstance(source, xr.DataTree):
            check_result(source, where=name)
            tree = source
        elif is_table(source):
            tree = read_spikes(source)
        else:
            # Damage within a file is found when it is read.
            stack.enter_context(readable(source))
            # Reading a variable of an open file again and again takes longer than all else.
            large = Path(source).is_file() and Path(source).stat().st_size > _SMALL
            tree = stack.enter_context(open_result(source, lazy=large))
        results[name] = presentations(tree)
    return results


def _names_of(paths: Sequence[Path | str]) -> list[str]:
    """Return the shortest ends of paths that differ, without suffixes."""
    files = [Path(path).absolute() for path in paths]
    if len(set(files)) < len(files):
        repeated = next(file for file in files if files.count(file) > 1)
        raise ResultError("a result is given twice", where=str(repeated))
    for depth in range(1, max((len(file.parts) for file in files), default=0) + 1):
        names = ["/".join(file.with_suffix("").parts[-depth:]) for file in files]
        if len(set(names)) == len(names):
            return names
    return [str(file) for file in files]  # only their suffixes differ
