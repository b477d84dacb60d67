"""Generated parts of pages: the text between ``<!-- table: NAME -->`` and ``<!-- end -->``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from bioae.files import write_text

_MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str, part: Callable[[str], str]) -> str:
    """Return a page with its generated parts made again.

    Parameters
    ----------
    page
        The text of the page.
    part
        Returns the Markdown of a name.
    """
    return _MARKED.sub(lambda mark: f"{mark[1]}\n{part(mark[2])}\n\n{mark[3]}", page)


def write(path: Path, text: str) -> None:
    """Write a page atomically, and make its folder."""
    write_text(path, text, overwrite=True)
