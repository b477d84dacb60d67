"""Tables and texts in the terminal, no wider than it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from bioae.analysis.measures.definitions import Table

__all__ = ["print_table", "print_wrapped"]

_SPACE = 3  # between two columns
_EDGES = 4
_ROW_HEADING = 28  # characters that are left to headings of rows
_TEXT = 24  # and to columns of texts
_CELL = 12


class _Column(NamedTuple):
    """The heading and the cells of a column, its width, and the least after wrapping words.

    Texts start at the left, numbers end at the right.
    """

    heading: str
    cells: tuple[str, ...]
    width: int
    least: int
    left: bool


def print_wrapped(text: str, *, start: str = "", indent: int = 0) -> None:
    """Print a text, in a terminal wrapped between words. In files and pipes it stays one line.

    Parameters
    ----------
    start
        What precedes the text on its first line.
    indent
        The spaces before its other lines.
    """
    if not sys.stdout.isatty():
        print(f"{start}{text}")
        return
    width = shutil.get_terminal_size().columns
    print(
        fill(
            text, width, initial_indent=start, subsequent_indent=" " * indent,
            break_long_words=False, break_on_hyphens=False,
        )
    )  # fmt: skip


def print_table(table: Table, console: Console, *, heading_width: int = _CELL) -> None:
    """Print a table. One that is too wide is wrapped between words, and then cut into parts.

    Numbers are never cut: a table is wider than the terminal if one of its words is.

    Parameters
    ----------
    heading_width
        The characters to which headings of columns are wrapped in any case.
    """
    from rich.text import Text

    columns = [
        _column(
            _wrapped(heading, heading_width) if place else heading,
            cells,
            (_TEXT if heading in table.texts else _CELL) if place else _ROW_HEADING,
            left=place == 0 or heading in table.texts,
        )
        for place, (heading, *cells) in enumerate(zip(table.columns, *table.rows, strict=True))
    ]
    for number, part in enumerate(_parts(columns, console.width)):
        caption = f"{table.caption} (continued)" if number else table.caption
        console.print(_drawn(caption, part, console.width), crop=False)
    for line in table.footnotes:
        console.print(Text(fill(line, console.width, subsequent_indent="  ")))
    if table.footnotes:
        console.print()


def _column(heading: str, cells: Sequence[str], wrapped: int, *, left: bool) -> _Column:
    texts = (heading, *cells)
    width = max(len(line) for text in texts for line in text.split("\n"))
    word = max((len(word) for text in texts for word in text.split()), default=0)
    return _Column(heading, tuple(cells), width, min(width, max(word, wrapped)), left)


def _parts(columns: Sequence[_Column], width: int) -> Iterator[list[_Column]]:
    """Divide columns into parts that fit, each with the first column."""
    first, *others = columns
    part = [first]
    whole = _total(column.width for column in columns) <= width
    for column in others:
        if len(part) > 1 and not whole and _total(c.least for c in (*part, column)) > width:
            yield part
            part = [first]
        part.append(column)
    yield part


def _total(widths: Iterable[int]) -> int:
    widths = list(widths)
    return sum(widths) + _SPACE * (len(widths) - 1) + _EDGES


def _drawn(caption: str, columns: Sequence[_Column], width: int) -> RichTable:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    spare = max(0, width - _total(column.least for column in columns))
    widths = []
    for column in columns:
        widths.append(min(column.width, column.least + spare))
        spare -= widths[-1] - column.least
    drawn = RichTable(title=caption, title_justify="left", box=SIMPLE_HEAD)
    drawn.width = max(_total(widths), min(width, len(caption)))
    for column, own in zip(columns, widths, strict=True):
        heading = Text(_wrapped(column.heading, own))
        justify: Literal["left", "right"] = "left" if column.left else "right"
        drawn.add_column(heading, justify=justify, no_wrap=True, width=own)
    for row in zip(*(column.cells for column in columns), strict=True):
        drawn.add_row(*(Text(_wrapped(cell, own)) for cell, own in zip(row, widths, strict=True)))
    return drawn


def _wrapped(text: str, width: int) -> str:
    lines = (fill(line, width, break_long_words=False) for line in text.split("\n"))
    return "\n".join(lines)
