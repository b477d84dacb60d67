"""Short texts and tables of objects, for prompts, notebooks and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple, Protocol

_LONGEST = 60  # characters of a value, next to its key in 80 columns


class Summary(NamedTuple):
    """Summary of an object: a heading, and a table whose first row names the columns."""

    heading: str
    rows: Sequence[tuple[str, ...]]


class _Summarised(Protocol):
    def _summary(self) -> Summary: ...


class Shown:
    """An object that shows its summary as text, and as a table in notebooks."""

    def __repr__(self: _Summarised) -> str:
        heading, rows = self._summary()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )
        return "\n".join([heading, *(f"  {line}" for line in lines)])

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self: _Summarised) -> str:
        heading, (head, *rows) = self._summary()
        parts = [_row("th", head), *(_row("td", row) for row in rows)]
        return f"<div><b>{escape(heading)}</b><table>{''.join(parts)}</table></div>"


def rows_of(values: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Yield the rows of nested tables: the path of a key, and a row per line of its value."""
    for key, value in values.items():
        name = f"{within}{key}"
        if isinstance(value, Mapping):
            yield from rows_of(value, f"{name}.")
            continue
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        for line in text.strip().splitlines():
            cell = line.strip()
            yield name, cell if len(cell) <= _LONGEST else f"{cell[: _LONGEST - 3]}..."
            name = ""


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _row(tag: str, cells: Sequence[str]) -> str:
    texts = (f"<{tag} style='text-align: left'>{escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{''.join(texts)}</tr>"
