"""Metrics of a training run: one line of JSON per epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bioae.errors import ResultError
from bioae.inputs import as_path


def read_metrics(path: Path | str) -> list[dict[str, float]]:
    """Read every number of every epoch, in order.

    Nested objects are flattened, with dots in the names; values other than numbers are left out,
    and so is an incomplete last line, as after a run that was killed while it wrote.

    Raises
    ------
    ResultError
        If the file is missing, holds no complete line, or a line before the last is not JSON.
    """
    path = as_path(path, ResultError, "metrics")
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise ResultError(
            "the metrics cannot be read", where=str(path),
            expected="a text file with one JSON object per line", found=str(error),
        ) from error  # fmt: skip
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            if number == len(lines):
                break
            record = None
        if not isinstance(record, dict):
            where = f"{path}, line {number}"
            raise ResultError("the line is not a JSON object", where=where, found=repr(line[:40]))
        if record:
            rows.append(dict(_numbers(record)))
    if not rows:
        raise ResultError(
            "there are no metrics", where=str(path), expected="one JSON object per epoch"
        )
    return rows


def _numbers(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{prefix}{key}", float(value)
