"""Shared parts of experiments: recipes, agreement of Brian2 and the mirror, read-outs, figures."""

from __future__ import annotations

__all__: list[str] = []
