"""Analysis of results: measures, figures and tables in a folder, or in one file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from bioae.analysis.firing.rates import BURSTING_THRESHOLD
from bioae.analysis.measures.definitions import DEFINITIONS, Rows, Table, anchor, as_table
from bioae.analysis.report.illustrations import illustrate
from bioae.analysis.report.lead import lead
from bioae.analysis.report.measures import Measures, measure
from bioae.analysis.report.numbers import to_numbers
from bioae.analysis.report.page import Picture, rendered
from bioae.analysis.report.sources import Sources, named_sources, opened
from bioae.analysis.report.tables import measure_tables
from bioae.analysis.results.layers import with_layers
from bioae.analysis.results.outputs import neurons_of
from bioae.errors import OutputError
from bioae.files import Kind, atomic_output, check_output, write_text
from bioae.inputs import as_path
from bioae.progress import counted

_FOLDERS = ("tables", "figures")
_OUTPUTS = ("report.html", "statistics.json", "statistics.nc", *_FOLDERS)


def analyze_results(
    sources: Sources,
    out: Path | str,
    *,
    layers: str | Sequence[str] | None = None,
    overwrite: bool = False,
    progress: bool | None = None,
) -> tuple[Measures, dict[str, Any]]:
    """Analyse results as `bioae.analyze` does; return the measures, and its return value."""
    out = check_outputs(out, overwrite=overwrite)
    named = named_sources(sources)
    with ExitStack() as stack:
        results = opened(named, stack)
        if layers:
            results = {name: with_layers(tree, layers) for name, tree in results.items()}
        measures = measure(results, progress=progress)
        tables = measures.csv_files()
        statistics = bytes(_joined(measures.statistics).to_netcdf(engine="h5netcdf"))
        illustrations, pictures = illustrate(results, measures.statistics), []
        with counted("figures", len(illustrations), progress, unit="figures") as report:
            for illustration in illustrations:
                pictures.append(illustration.picture(png=True))
                report(len(pictures))
        names = [*results]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        title = f"Analysis of {', '.join(names[:3])}{more}"
        html = _page(results, measures, pictures, title=title)
    with _outputs(out, overwrite=overwrite) as outputs:
        figures = []
        for each in pictures:
            (outputs["figures"] / f"{each.name}.png").write_bytes(each.png)
            (outputs["figures"] / f"{each.name}.svg").write_text(each.svg, encoding="utf-8")
            figures += [f"{each.name}.png", f"{each.name}.svg"]
        for name, text in tables.items():
            (outputs["tables"] / name).write_text(text, encoding="utf-8")
        numbers = {
            "report": str(out / "report.html"), "statistics": str(out / "statistics.nc"),
            "tables": [str(out / "tables" / name) for name in tables],
            "figures": [str(out / "figures" / name) for name in figures], **to_numbers(measures),
        }  # fmt: skip
        for name, source in named.items():
            if not isinstance(source, xr.DataTree):
                numbers["results"][name] = {"path": str(source), **numbers["results"][name]}
        # On a full disk the HDF5 library prints lines to standard error.
        outputs["statistics.nc"].write_bytes(statistics)
        text = json.dumps(numbers, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        outputs["statistics.json"].write_text(text, encoding="utf-8")
        outputs["report.html"].write_text(html, encoding="utf-8")
    return measures, numbers


def check_outputs(out: Path | str, *, overwrite: bool = False) -> Path:
    """Return the folder of an analysis; raise an `OutputError` for outputs that exist."""
    out = as_path(out, OutputError, "output")
    for name in _OUTPUTS:
        kind: Kind = "folder" if name in _FOLDERS else "file"
        check_output(out / name, overwrite=overwrite, kind=kind)
    return out


def write_report(
    path: Path | str,
    results: Mapping[str, xr.DataTree],
    *,
    title: str,
    tables: Sequence[tuple[str, Rows | xr.Dataset]] = (),
    metrics: Mapping[str, Path | str] | None = None,
    metrics_keys: Sequence[str] | None = None,
    compare: Sequence[tuple[str, str]] | None = None,
    notes: Sequence[str] = (),
    training_images: NDArray[Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Measure results, draw them, and write both as one self-contained HTML file.

    The caller's tables come first, then the figures, then all measures. The spikes of the first
    result are compared with those of each other one that has the same examples and layers.

    Parameters
    ----------
    path
        The file to write.
    results
        The results by the names in tables and figures.
    title
        The heading.
    tables
        Further tables, shown before the figures: a caption, and rows or a one-dimensional dataset
        (`bioae.analysis.as_table`).
    metrics
        Files of training metrics, one JSON object per line, by the names of the runs.
    metrics_keys
        The metrics to draw; by default all that change.
    compare
        Pairs of results to compare instead.
    notes
        Paragraphs of plain text below the title; by default the main numbers in sentences.
    training_images
        For the baseline of the mean image (`bioae.analysis.mean_image`).

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, or it cannot be written.
    ResultError
        If there is no result, or an argument does not fit.
    """
    check_output(path, overwrite=overwrite, kind="file")
    measures = measure(results, training_images=training_images, compare=compare)
    illustrations = illustrate(results, measures.statistics, metrics, metrics_keys=metrics_keys)
    pictures = [each.picture() for each in illustrations]
    first = [as_table(caption, data) for caption, data in tables]
    html = _page(results, measures, pictures, title=title, first_tables=first, notes=notes)
    write_text(path, html, overwrite=overwrite)


def _page(
    results: Mapping[str, xr.DataTree],
    measures: Measures,
    pictures: Sequence[Picture],
    *,
    title: str,
    first_tables: Sequence[Table] = (),
    notes: Sequence[str] = (),
) -> str:
    """Return the HTML of a report: the first tables, the pictures, the tables of all measures."""
    return rendered(
        pictures, title=title, bursting_threshold=BURSTING_THRESHOLD,
        notes=[*(notes or lead(measures)), *measures.notes()], first_tables=first_tables,
        tables=measure_tables(measures),
        definitions={anchor(name): each for name, each in DEFINITIONS.items()},
        origins=_origins(measures.attributes),
        models={name: text for name, tree in results.items() if (text := neurons_of(tree))},
    )  # fmt: skip


def _origins(attributes: Mapping[str, Mapping[str, Any]]) -> Table:
    rows = [
        {
            "result": name,
            "target": attrs.get("target", "–"),
            "examples": attrs["examples"],
            "steps": attrs["steps"],
            "dt (ms)": attrs["dt_ms"],
            "seed": str(attrs.get("seed", "–")),
            "network": str(attrs.get("network_sha256", "–"))[:12],
            **{
                package: str(attrs.get(f"{package}_version", "unknown"))
                for package in ("bioae", "brian2", "numpy")
            },
        }
        for name, attrs in attributes.items()
    ]
    return as_table("Origin of the results", rows)


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
