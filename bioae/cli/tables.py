"""Tables in the terminal."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from bioae.analysis.measures.tables import Table

__all__ = ["rich_table"]


def rich_table(table: Table, console: Console, *, heading_width: int = 12) -> RichTable:
    """Return a table in its full width: in a narrow terminal, a truncated number would mislead.

    Headings are wrapped between words to `heading_width` characters.
    """
    from rich.box import SIMPLE_HEAD
    from rich.measure import Measurement
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.caption, title_justify="left", box=SIMPLE_HEAD)
    for place, heading in enumerate(table.columns):
        lines = Text(fill(heading, heading_width, break_long_words=False))
        drawn.add_column(lines, justify="right" if place else "left", no_wrap=True)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    unlimited = console.options.update(max_width=10_000)
    drawn.width = Measurement.get(console, unlimited, drawn).maximum
    return drawn
