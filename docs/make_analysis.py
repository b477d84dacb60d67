"""Write the generated tables of measures.md from the definitions in `bioae.analysis`.

python docs/make_analysis.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import marked

from bioae import analysis
from bioae.showing import markdown_table

PAGE = Path(__file__).with_name("measures.md")


def main() -> None:
    """Rewrite the page."""
    marked.write(PAGE, filled(PAGE.read_text(encoding="utf-8")))


def filled(page: str) -> str:
    """Return a page with new text between its marks."""
    return marked.filled(page, lambda name: TABLES[name]())


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


TABLES: dict[str, Callable[[], str]] = {
    each.__name__: each for each in (definitions, variables, references)
}


if __name__ == "__main__":
    main()
