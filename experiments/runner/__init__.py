"""Running experiments: their description, criteria, rows on disk, verdict, page and figures."""

from __future__ import annotations

__all__: list[str] = []
