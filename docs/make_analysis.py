"""Write the generated tables of analysis.md from the docstrings of `bioae.analysis`.

python docs/make_analysis.py
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import marked

from bioae import analysis
from bioae.analysis import plots
from bioae.showing import markdown_table

PAGE = Path(__file__).with_name("analysis.md")

# The sections of the page, by the folders of `bioae.analysis`.
FAMILIES = {
    "results": "Results and spikes",
    "firing": "Firing of neurons",
    "pairs": "Pairs of neurons and of spike trains",
    "coding": "Coding and reconstruction",
    "measures": "All statistics, and comparison with cortex",
    "comparison": "Comparison of two results",
    "report": "Report",
    "exports": "Exports",
}

# Constants have no docstring.
CONSTANTS = {
    "BURSTING_THRESHOLD": "Threshold of bursting, {value:g} spikes per step.",
    "DEFINITIONS": "[Definitions of the numbers of a layer](#the-numbers-of-a-layer), by name.",
    "SCHEMA_VERSION": "Supported version of [the format of a result](result.md): {value}.",
}

_ROLES = re.compile(r"`bioae\.(?:\w+\.)*(\w+)`")


def main() -> None:
    """Rewrite the page."""
    marked.write(PAGE, filled(PAGE.read_text(encoding="utf-8")))


def filled(page: str) -> str:
    """Return a page with new text between its marks."""
    return marked.filled(page, lambda name: TABLES[name]())


def functions() -> str:
    """Return a table per family, with all exports of `bioae.analysis`."""
    exports = _exports()
    modules = {each.name for each in iter_modules(analysis.__path__)}
    missing = set(analysis.__all__).difference(modules, *exports.values())
    if missing:
        raise SystemExit(f"in no family of {Path(__file__).name}: {', '.join(sorted(missing))}")
    head = ("function", "result")
    return "\n\n".join(
        f"### {title}\n\n{markdown_table(head, [(_call(n), _line(n)) for n in exports[folder]])}"
        for folder, title in FAMILIES.items()
    )


def definitions() -> str:
    """Return the table of the numbers of a layer."""
    rows = [
        (
            f"`{name}`",
            each.label,
            "" if each.units == "1" else each.units,
            each.text + (f" Undefined where {each.undefined}." if each.undefined else ""),
        )
        for name, each in analysis.DEFINITIONS.items()
    ]
    return markdown_table(["name", "in tables", "unit", "definition"], rows)


def variables() -> str:
    """Return the table of the variables of each neuron and each example in `statistics`."""
    layer = analysis.statistics(analysis.example_result())["layers/conv"].to_dataset()
    rows = [
        (
            f"`{name}`",
            f"`({', '.join(map(str, array.dims))})`",
            "" if array.attrs.get("units", "1") == "1" else array.attrs["units"],
            array.attrs["long_name"],
        )
        for name, array in layer.data_vars.items()
        if set(array.dims) & {"neuron", "example", "interval"}
    ]
    return markdown_table(["variable", "dimensions", "unit", "meaning"], rows)


def references() -> str:
    """Return the table of reference values from cortex."""
    rows = [
        (
            f"`{each.statistic}`",
            each.range,
            f"{each.summary}; {each.conditions}",
            f"{each.animal}, {each.area}, {each.state}",
            f"[{each.authors} ({each.year})](https://doi.org/{each.doi})",
            f"yes: {each.checked}" if each.verified else f"**no**, but {each.checked}",
        )
        for each in analysis.references()
    ]
    head = [
        "statistic",
        "cortex",
        "summary, conditions",
        "animal, area, state",
        "source",
        "verified",
    ]
    return markdown_table(head, rows)


def pictures() -> str:
    """Return the table of the functions that draw figures."""
    return markdown_table(["in `bioae.analysis.plots`", "figure"], sorted(_figures()))


TABLES: dict[str, Callable[[], str]] = {
    each.__name__: each for each in (functions, definitions, variables, references, pictures)
}


def _exports() -> dict[str, list[str]]:
    """Return the exported names of each folder, from the list of exports."""
    stub = Path(str(analysis.__file__)).with_suffix(".pyi")
    names: dict[str, list[str]] = {folder: [] for folder in FAMILIES}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            folder = str(node.module).partition(".")[0]
            if folder in names:
                names[folder] += [alias.name for alias in node.names]
    return names


def _figures() -> Iterator[tuple[str, str]]:
    for info in iter_modules(plots.__path__):
        module = import_module(f"bioae.analysis.plots.{info.name}")
        for name in module.__all__:
            function = getattr(module, name)
            # Functions that draw return a figure; helpers return empty ones.
            returned = getattr(function, "__annotations__", {}).get("return")
            if returned == "Figure" and info.name not in {"panels", "style"}:
                path = name if name in plots.__all__ else f"{info.name}.{name}"
                yield f"`{path}`", _summary(function)


def _call(name: str) -> str:
    exported: Any = getattr(analysis, name)
    if inspect.isclass(exported) or not callable(exported):
        return f"`{name}`"
    parameters = [each.replace(default=each.empty, annotation=each.empty) for each in
                  inspect.signature(exported).parameters.values()]  # fmt: skip
    return f"`{name}{inspect.Signature(parameters)}`"


def _line(name: str) -> str:
    exported = getattr(analysis, name)
    if name in CONSTANTS:
        return CONSTANTS[name].format(value=exported)
    return _summary(exported)


def _summary(documented: object) -> str:
    """Return the first line of a docstring as Markdown."""
    line = (inspect.getdoc(documented) or "").partition("\n")[0].replace("``", "`")
    line = _ROLES.sub(r"`\1`", line.removeprefix("Return "))
    return line[:1].upper() + line[1:]


if __name__ == "__main__":
    main()
