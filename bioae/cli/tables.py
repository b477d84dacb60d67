"""Tables and texts in the terminal, no wider than it."""

from __future__ import annotations

import json as json_format
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console

    from bioae.analysis.measures.definitions import Table
    from bioae.equations import NeuronModel, SynapseModel

_SPACE, _EDGES = 3, 4  # characters between two columns, and around all
#: Characters to which cells are wrapped: in the first column, of texts, of numbers, and headings.
_FIRST, _TEXT, _CELL, _HEADING = 28, 24, 12, 7


class _Column(NamedTuple):
    """Wrapped cells, the heading first; texts start at the left, numbers end at the right."""

    cells: Sequence[str]
    left: bool

    @property
    def width(self) -> int:
        return max(len(line) for cell in self.cells for line in cell.split("\n"))


def print_wrapped(text: str, *, start: str = "", indent: int = 0) -> None:
    """Print a text, in a terminal wrapped between words. In files and pipes it stays one line.

    `start` precedes it on the first line, and `indent` spaces on the others.
    """
    if sys.stdout.isatty():
        text = fill(
            text, shutil.get_terminal_size().columns, initial_indent=start,
            subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        start = ""
    print(f"{start}{text}")


def print_entries(entries: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print names, each with texts that start on separate lines."""
    entries = list(entries)
    width = max(len(name) for name, _ in entries) + 2
    for name, texts in entries:
        for place, text in enumerate(texts):
            print_wrapped(text, start=f"{'' if place else name:{width}}", indent=width)


def print_model(
    model: NeuronModel | SynapseModel, derived: Mapping[str, Sequence[str]], heading: str, *,
    json: bool,
) -> None:  # fmt: skip
    """Print a model's file, with derived properties as comments; or everything as one object."""
    if json:
        fields = {"name": model.name, **model.to_mapping(), "derived": derived}
        print(json_format.dumps(fields))
        return
    print(model.to_toml())
    print(f"# {heading}")
    for name, lines in derived.items():
        for place, line in enumerate([lines] if isinstance(lines, str) else lines):
            print(f"# {'' if place else name:14} {line}".rstrip())


def print_table(table: Table, console: Console) -> None:
    """Print a table, with cells wrapped between words; one that is too wide is cut into parts.

    Numbers are never cut: a table is wider than the terminal if one of its words is.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = []
    for place, (heading, *cells) in enumerate(zip(table.columns, *table.rows, strict=True)):
        left = place == 0 or heading in table.texts
        width = _TEXT if place else _FIRST
        texts = [_wrapped(heading, width if left else _HEADING)]
        texts += [_wrapped(cell, width if left else _CELL) for cell in cells]
        columns.append(_Column(texts, left))
    for number, part in enumerate(_parts(columns, console.width)):
        caption = f"{table.caption} (continued)" if number else table.caption
        drawn = RichTable(title=caption, title_justify="left", box=SIMPLE_HEAD)
        drawn.width = max(_total(part), min(console.width, len(caption)))
        for column in part:
            drawn.add_column(
                Text(column.cells[0]), justify="left" if column.left else "right", no_wrap=True,
                width=column.width,
            )  # fmt: skip
        for row in zip(*(column.cells[1:] for column in part), strict=True):
            drawn.add_row(*map(Text, row))
        console.print(drawn, crop=False)
    for line in table.footnotes:
        console.print(Text(fill(line, console.width, subsequent_indent="  ")))
    if table.footnotes:
        console.print()


def _parts(columns: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """Divide columns into parts that fit, each with the first column."""
    first, *others = columns
    part = [first]
    for column in others:
        if len(part) > 1 and _total([*part, column]) > width:
            yield part
            part = [first]
        part.append(column)
    yield part


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + _SPACE * (len(columns) - 1) + _EDGES


def _wrapped(text: str, width: int) -> str:
    lines = (fill(line, width, break_long_words=False) for line in text.split("\n"))
    return "\n".join(lines)
