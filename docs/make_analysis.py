"""Write the generated tables of analysis.md anew, from what `bioae.analysis` says of itself.

python docs/make_analysis.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from bioae import analysis
from bioae.analysis import plots
from bioae.files import atomic_output

PAGE = Path(__file__).with_name("analysis.md")

# The families of the page, each by its modules.
FAMILIES: dict[str, tuple[str, ...]] = {
    "A result and its spikes": ("schema", "layers", "spikes", "tutorial", "metrics"),
    "How much neurons fire": (
        "counts", "rates", "bursting", "class_rates", "population_rates", "rate_moments",
        "rate_fits",
    ),
    "Intervals between spikes": ("interval_moments", "intervals", "irregularity"),
    "Variability and sparseness": ("variability", "sparseness"),
    "Neurons together": (
        "correlations", "correlograms", "tiling", "chi", "dimensionality", "latent_space",
    ),
    "What neurons say of the image": (
        "information", "readout", "separation", "receptive_fields", "transfer",
    ),
    "Distances of trains and of samples": ("distances",),
    "Reconstruction and cost": ("reconstruction", "costs"),
    "Everything at once": (
        "firing", "definitions", "overview", "measures", "tables", "pipeline", "report",
    ),
    "Comparing": ("agreement", "effects", "change"),
    "Measured in cortex": ("reference", "comparability", "verdicts"),
    "Exports": ("exports",),
}  # fmt: skip

# Constants have no text of their own.
CONSTANTS = {
    "BURSTING_THRESHOLD": "Spikes a step, {value:g}: a neuron that fires more of them bursts.",
    "DEFINITIONS": "[What each number of a layer means](#the-numbers-of-a-layer), by its name.",
    "SCHEMA_VERSION": "The version of [the format of a result](result.md) that is read: {value}.",
}

_MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ROLES = re.compile(r"`bioae\.(?:\w+\.)*(\w+)`")


def main() -> None:
    """Rewrite the page."""
    text = filled(PAGE.read_text(encoding="utf-8"))
    with atomic_output(PAGE, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")


def filled(page: str) -> str:
    """Return a page with what stands between its marks written anew."""
    return _MARKED.sub(lambda mark: f"{mark[1]}\n{TABLES[mark[2]]()}\n\n{mark[3]}", page)


def functions() -> str:
    """Return a table for each family, with all that `bioae.analysis` exports."""
    families = {title: _names(modules) for title, modules in FAMILIES.items()}
    missing = set(analysis.__all__).difference(*families.values())
    if missing:
        raise SystemExit(f"in no family of {Path(__file__).name}: {', '.join(sorted(missing))}")
    return "\n\n".join(
        f"### {title}\n\n"
        + _table(["function", "what it gives"], [(_call(name), _line(name)) for name in names])
        for title, names in families.items()
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
    return _table(["name", "in tables", "unit", "definition"], rows)


def variables() -> str:
    """Return the table of what `statistics` has of each neuron and each example."""
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
    return _table(["variable", "dimensions", "unit", "meaning"], rows)


def references() -> str:
    """Return the table of what was measured in cortex."""
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
    head = ["statistic", "cortex", "of what", "animal, area, state", "source", "verified"]
    return _table(head, rows)


def pictures() -> str:
    """Return the table of the functions that draw."""
    return _table(["in `bioae.analysis.plots`", "what it draws"], sorted(_figures()))


TABLES: dict[str, Callable[[], str]] = {
    each.__name__: each for each in (functions, definitions, variables, references, pictures)
}


def _names(modules: Iterable[str]) -> list[str]:
    found = [import_module(f"bioae.analysis.{module}").__all__ for module in modules]
    return [name for names in found for name in names if name in analysis.__all__]


def _figures() -> Iterator[tuple[str, str]]:
    for info in iter_modules(plots.__path__):
        module = import_module(f"bioae.analysis.plots.{info.name}")
        for name in module.__all__:
            function = getattr(module, name)
            # What draws a figure returns one; what starts an empty one takes no results.
            returned = getattr(function, "__annotations__", {}).get("return")
            if returned == "Figure" and info.name not in {"style", "overlay"}:
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
    """Return the first line of what a function says of itself, as Markdown."""
    line = (inspect.getdoc(documented) or "").partition("\n")[0].replace("``", "`")
    line = _ROLES.sub(r"`\1`", line.removeprefix("Return "))
    return line[:1].upper() + line[1:]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(head), ["---"] * len(head)]
    lines += [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
