"""From the files of results to a folder with the report, the figures and the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from bioae.analysis.illustrations import Illustration, illustrate
from bioae.analysis.measures import Measures, measure
from bioae.analysis.report import render_report
from bioae.analysis.schema import open_result
from bioae.errors import ResultError
from bioae.files import atomic_output, check_output

__all__ = ["analyze", "analyze_files", "open_results"]


def analyze(
    paths: Sequence[Path | str], out: Path | str, *, overwrite: bool = False
) -> dict[str, Any]:
    """Analyse results and write `report.html`, `summary.json` and `figures/` into a folder.

    Other files in the folder are left alone.

    Parameters
    ----------
    paths
        The files of the results. With several, the spikes of the first are compared with those of
        each other one.
    out
        The folder to write to.
    overwrite
        Whether to replace an earlier report, summary and figures.

    Returns
    -------
    dict
        What is written to `summary.json`: the numbers of each result and layer, the comparisons,
        and where report and figures are.

    Raises
    ------
    ResultError
        If a file is not a result.
    OutputError
        If an output exists and `overwrite` is false, or it cannot be written.
    """
    _, numbers = analyze_files(paths, out, overwrite=overwrite)
    return numbers


def analyze_files(
    paths: Sequence[Path | str], out: Path | str, *, overwrite: bool = False
) -> tuple[Measures, dict[str, Any]]:
    """Do what `analyze` does, and return the measures beside the numbers."""
    out = Path(out)
    for name in ("report.html", "summary.json", "figures"):
        check_output(out / name, overwrite=overwrite)
    results = open_results(paths)
    measures = measure(results)
    drawn = illustrate(results)
    figures = _save_figures(out / "figures", drawn, overwrite=overwrite)
    numbers = _numbers(out, paths, results, measures, figures)
    html = render_report(results, measures, drawn, title=_title(results))
    text = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    _write_text(out / "summary.json", text, overwrite=overwrite)
    _write_text(out / "report.html", html, overwrite=overwrite)
    return measures, numbers


def open_results(paths: Sequence[Path | str]) -> dict[str, xr.DataTree]:
    """Open results under their shortest names that differ: the files', or as much as it takes.

    Raises
    ------
    ResultError
        If there is none, one is there twice, or a file is not a result.
    """
    if not paths:
        raise ResultError("there are no results to analyse", expected="at least one file")
    files = [Path(path).absolute() for path in paths]
    if len(set(files)) < len(files):
        repeated = next(file for file in files if files.count(file) > 1)
        raise ResultError("a result is there twice", where=str(repeated))
    depth = 1
    while len({_name(file, depth) for file in files}) < len(files):
        depth += 1
    named = zip(files, paths, strict=True)
    return {_name(file, depth): open_result(path) for file, path in named}


def _name(file: Path, depth: int) -> str:
    # Beyond a file's depth only its suffix tells it from another.
    whole = file if depth > len(file.parts) else file.with_suffix("")
    return "/".join(whole.parts[-depth:])


def _save_figures(folder: Path, drawn: Sequence[Illustration], *, overwrite: bool) -> list[Path]:
    from bioae.analysis.plots import save_figure

    paths = []
    for illustration in drawn:
        png, svg = (folder / f"{illustration.name}{suffix}" for suffix in (".png", ".svg"))
        save_figure(illustration.figure, png, overwrite=overwrite)
        _write_text(svg, illustration.svg, overwrite=overwrite)
        paths += [png, svg]
    return paths


def _write_text(path: Path, text: str, *, overwrite: bool) -> None:
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _numbers(
    out: Path,
    paths: Sequence[Path | str],
    results: Mapping[str, xr.DataTree],
    measures: Measures,
    figures: Sequence[Path],
) -> dict[str, Any]:
    numbers = measures.to_json()
    for name, path in zip(results, paths, strict=True):
        numbers["results"][name] = {"path": str(path), **numbers["results"][name]}
    return {
        "report": str(out / "report.html"),
        "figures": [str(path) for path in figures],
        **numbers,
    }


def _title(results: Mapping[str, xr.DataTree]) -> str:
    names = list(results)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"Analysis of {shown}"
