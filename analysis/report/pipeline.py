"""Analysis of files: from results to a folder with the report, figures, tables and numbers."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, count, permutations
from pathlib import Path
from typing import Any, TypeAlias

import xarray as xr

from bioae.analysis.report.illustrations import illustrate_firing, illustrate_outputs
from bioae.analysis.report.measures import Measures, measure
from bioae.analysis.report.numbers import to_numbers
from bioae.analysis.report.pictures import Illustration, Picture
from bioae.analysis.report.report import render_report
from bioae.analysis.report.responses import illustrate_responses
from bioae.analysis.results.repeats import presentations
from bioae.analysis.results.schema import check_result, open_result, readable
from bioae.errors import OutputError, ResultError, shortened
from bioae.files import Kind, atomic_output, check_output
from bioae.inputs import as_path
from bioae.progress import counted

__all__ = ["analyze", "analyze_files", "check_outputs"]

#: A result: a file, or the tree of a simulation.
Result: TypeAlias = Path | str | xr.DataTree
#: Several of them, named or not.
Results: TypeAlias = Sequence[Result] | Mapping[str, Result]

#: The largest file in bytes that is read into memory as a whole.
_SMALL = 2**24
_FOLDERS = ("tables", "figures")
_OUTPUTS = ("report.html", "statistics.json", "statistics.nc", *_FOLDERS)


def analyze(
    results: Results | Result,
    out: Path | str,
    *,
    overwrite: bool = False,
    progress: bool | None = None,
) -> dict[str, Any]:
    """Analyse results, and write the report, statistics, tables and figures into a folder.

    ``report.html`` is self-contained; ``statistics.nc`` holds every number of every
    neuron, example and layer (`bioae.analysis.statistics`; several results are in groups by their
    names); ``statistics.json`` the numbers of the layers and the comparisons; ``tables/`` the same
    as CSV; ``figures/`` each picture as PNG and SVG. Other files in the folder stay.

    Parameters
    ----------
    results
        One or several results, each a file of any size (large ones are read by blocks) or the tree
        of a simulation in memory; a mapping gives them names. The first is compared with each other
        one.
    out
        The folder to write to.
    overwrite
        Whether to replace an earlier analysis.
    progress
        Whether to show bars; by default on a terminal and in a notebook.

    Returns
    -------
    dict
        The content of ``statistics.json``: the numbers of each result and layer, the comparisons,
        and the paths of the other outputs.

    Raises
    ------
    ResultError
        If a file or a tree is not a result.
    OutputError
        If an output exists and `overwrite` is false, or it cannot be written.
    """
    _, numbers = analyze_files(results, out, overwrite=overwrite, progress=progress)
    return numbers


def analyze_files(
    sources: Results | Result,
    out: Path | str,
    *,
    overwrite: bool = False,
    progress: bool | None = None,
) -> tuple[Measures, dict[str, Any]]:
    """Do what `analyze` does, and return the measures too."""
    out = check_outputs(out, overwrite=overwrite)
    given = _named(sources)
    with ExitStack() as stack:
        results = _opened(given, stack)
        measures = measure(results, progress=progress)
        tables = measures.csv_files()
        statistics = bytes(_joined(measures.statistics).to_netcdf(engine="h5netcdf"))
        illustrations = [
            *illustrate_outputs(results),
            *illustrate_firing(measures.statistics),
            *illustrate_responses(results),
        ]
        pictures = _draw(illustrations, progress)
        html = render_report(results, measures, pictures, title=_title(results))
    with _outputs(out, overwrite=overwrite) as outputs:
        figures = _save_pictures(outputs["figures"], pictures)
        for name, text in tables.items():
            (outputs["tables"] / name).write_text(text, encoding="utf-8")
        numbers = {
            "report": str(out / "report.html"),
            "statistics": str(out / "statistics.nc"),
            "tables": [str(out / "tables" / name) for name in tables],
            "figures": [str(out / "figures" / name) for name in figures],
            **to_numbers(measures),
        }
        for name, source in given.items():
            if not isinstance(source, xr.DataTree):
                numbers["results"][name] = {"path": str(source), **numbers["results"][name]}
        # On a full disk the HDF5 library prints lines to standard error.
        outputs["statistics.nc"].write_bytes(statistics)
        text = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        outputs["statistics.json"].write_text(text, encoding="utf-8")
        outputs["report.html"].write_text(html, encoding="utf-8")
    return measures, numbers


def check_outputs(out: Path | str, *, overwrite: bool = False) -> Path:
    """Reject outputs that exist, as `analyze` does, and return the folder.

    Raises
    ------
    OutputError
        If an output exists and `overwrite` is false, or it cannot be written.
    """
    out = as_path(out, OutputError, "output")
    for name in _OUTPUTS:
        kind: Kind = "folder" if name in _FOLDERS else "file"
        check_output(out / name, overwrite=overwrite, kind=kind)
    return out


def _draw(illustrations: Sequence[Illustration], progress: bool | None) -> list[Picture]:
    pictures = []
    with counted("figures", len(illustrations), progress, unit="figures") as report:
        for illustration in illustrations:
            pictures.append(illustration.picture(png=True))
            report(len(pictures))
    return pictures


def _named(sources: Any) -> dict[str, Result]:
    """Return results by their names; those in memory are numbered, unless they have names."""
    if isinstance(sources, xr.DataTree):  # a mapping, too
        named: dict[str, Any] = {"result": sources}
    elif isinstance(sources, Mapping):
        named = {str(name): each for name, each in sources.items()}
        _check_names(named, len(sources))
    else:
        single = isinstance(sources, Path | str) or not isinstance(sources, Iterable)
        several = [sources] if single else list(sources)
        trees = [each for each in several if isinstance(each, xr.DataTree)]
        files = [each for each in several if isinstance(each, Path | str)]
        by_path = _by_path(files) if files else {}
        one = ["result"] if len(trees) == 1 else []
        numbered = chain(one, map("result {}".format, count(1)))
        taken = {part for name in by_path for part in (name, name.partition("/")[0])}
        names, numbers = iter(by_path), (each for each in numbered if each not in taken)
        named = {}
        for each in several:
            named[next(numbers if isinstance(each, xr.DataTree) else names, "")] = each
    if not named:
        raise ResultError("there are no results to analyse", expected="at least one file")
    for name, each in named.items():
        if not isinstance(each, Path | str | xr.DataTree):
            raise ResultError(
                "this is not the result of a simulation",
                where=name or None,
                expected="the path of a file, or the xarray.DataTree of bioae.simulate",
                found=shortened(type(each).__name__),
            )
    return named


def _check_names(names: Collection[str], results: int) -> None:
    """Reject names that are the same as groups, or of which one is a group within another."""
    groups = {posixpath.normpath(f"/{name}".replace("//", "/")) for name in names}
    if len(groups) < results:
        raise ResultError("two results have the same name", found=shortened(", ".join(names)))
    for one, other in permutations(groups, 2):
        if other.startswith(f"{one}/"):
            raise ResultError(
                "the name of a result begins with that of another one and '/'",
                where=other,
                hint=f"Rename {one!r}",
            )


def _opened(sources: Mapping[str, Result], stack: ExitStack) -> dict[str, xr.DataTree]:
    """Open files of results; trees are as they are."""
    results = {}
    for name, source in sources.items():
        if isinstance(source, xr.DataTree):
            check_result(source, where=name)
            results[name] = presentations(source)
            continue
        # Damage within a file is found when it is read.
        stack.enter_context(readable(source))
        # Reading a variable of an open file again and again takes longer than all else.
        opened = stack.enter_context(open_result(source, lazy=not _is_small(source)))
        results[name] = presentations(opened)
    return results


def _by_path(paths: Sequence[Path | str]) -> dict[str, Path | str]:
    """Return files by the shortest ends of their paths that differ."""
    files = [Path(path).absolute() for path in paths]
    if len(set(files)) < len(files):
        repeated = next(file for file in files if files.count(file) > 1)
        raise ResultError("a result is given twice", where=str(repeated))
    depth = 1
    while len({_name(file, depth) for file in files}) < len(files):
        depth += 1
    return {_name(file, depth): path for file, path in zip(files, paths, strict=True)}


def _is_small(result: Result) -> bool:
    if isinstance(result, xr.DataTree):
        return True
    return Path(result).is_file() and Path(result).stat().st_size <= _SMALL


def _name(file: Path, depth: int) -> str:
    # Beyond a file's depth only its suffix tells it from another.
    whole = file if depth > len(file.parts) else file.with_suffix("")
    return "/".join(whole.parts[-depth:])


@contextmanager
def _outputs(out: Path, *, overwrite: bool) -> Iterator[dict[str, Path]]:
    """Yield a temporary path for each output; all are complete before the first is renamed."""
    with ExitStack() as stack:
        # Renamed in reverse order: the report last.
        outputs = {
            name: stack.enter_context(atomic_output(out / name, overwrite=overwrite))
            for name in _OUTPUTS
        }
        for name in _FOLDERS:
            outputs[name].mkdir()
        yield outputs


def _save_pictures(folder: Path, pictures: Sequence[Picture]) -> list[str]:
    for picture in pictures:
        (folder / f"{picture.name}.png").write_bytes(picture.png)
        (folder / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")
    return [f"{each.name}{suffix}" for each in pictures for suffix in (".png", ".svg")]


def _joined(trees: Mapping[str, xr.DataTree]) -> xr.DataTree:
    """Return the statistics of one result as they are, and those of several by their names."""
    if len(trees) == 1:
        return next(iter(trees.values()))
    groups = {
        f"/{name}{node.path if node.path != '/' else ''}": node.to_dataset(inherit=False)
        for name, tree in trees.items()
        for node in tree.subtree
    }
    return xr.DataTree.from_dict(groups)


def _title(results: Mapping[str, xr.DataTree]) -> str:
    names = list(results)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Analysis of {', '.join(names[:3])}{more}"
