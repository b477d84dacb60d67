"""Checkpoints: the state of a run in one safetensors file, from which it resumes bit for bit.

The tensors are those of what is trained, by name, such as ``weight/NAME``. The metadata are one
entry, ``bioae``: JSON with the format's version, the kind of the run, its configuration, the hashes
of the data, the position, the metrics so far, and the number of threads, if it matters.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from bioae.errors import ArtefactError, DataError, NetworkError, describe, key_path
from bioae.fields import Table, Threads
from bioae.files import atomic_output

VERSION = 4

#: Arrays by name.
Arrays = Mapping[str, NDArray[Any]]


class Checkpoint(Table):
    """The state of a run between two updates.

    `kind`: the kind of what is trained.
    `config`: the configuration, as plain data.
    `data`: the hashes of the data, by their part.
    `position`: the position of the run, as its kind describes it.
    `records`: the metrics so far.
    `threads`: the number of threads, on which the last bits of sums depend.
    """

    version: int = VERSION
    kind: str = Field(min_length=1)
    config: dict[str, Any]
    data: dict[str, str]
    position: dict[str, Any]
    records: list[dict[str, Any]]
    threads: Threads | None = None


def save(path: Path, checkpoint: Checkpoint, arrays: Arrays) -> None:
    """Write a checkpoint atomically: after an error, an existing one is unchanged."""
    header = json.dumps(checkpoint.model_dump(), allow_nan=False)
    tensors = {name: np.asarray(each, order="C") for name, each in arrays.items()}
    content = save_tensors(tensors, metadata={"bioae": header})
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_bytes(content)


def load(path: Path) -> tuple[Checkpoint, dict[str, NDArray[Any]]]:
    """Read a checkpoint and its arrays.

    Raises `ArtefactError` if it is truncated, foreign or of another version.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["bioae"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise ArtefactError(
            "the checkpoint is truncated or foreign", where=str(path), found=str(error)
        ) from error
    return _header(header, str(path)), arrays


def _header(values: Any, where: str) -> Checkpoint:
    version = values.get("version") if isinstance(values, dict) else None
    if version != VERSION:
        raise ArtefactError(
            "the checkpoint has another version of the format", where=where, expected=str(VERSION),
            found=str(version),
            hint="Start the run again, with --overwrite (overwrite=True) or elsewhere",
        )  # fmt: skip
    try:
        return Checkpoint.model_validate(values)
    except ValidationError as error:
        raise ArtefactError(**describe(error, Checkpoint), where=where) from None


def arrays_of(
    kind: str, arrays: Arrays, names: Collection[str], where: str
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a kind, the first part of their names, by the names that a run needs.

    Raises `ArtefactError` if the checkpoint at `where` has other ones.
    """
    prefix = f"{kind}/"
    stored = {n.removeprefix(prefix): each for n, each in arrays.items() if n.startswith(prefix)}
    if stored.keys() != set(names):
        raise ArtefactError(
            "the checkpoint belongs to another network", where=where,
            expected=f"for {kind!r} the arrays {', '.join(sorted(names)) or 'none'}",
            found=", ".join(sorted(stored)) or "none",
        )  # fmt: skip
    return stored


def check_config(
    stored: Mapping[str, Any], current: Mapping[str, Any], where: str, free: Collection[str]
) -> None:
    """Reject a configuration that differs from the checkpoint at `where`, except in `free` keys.

    Raises `NetworkError` naming the first key that differs.
    """
    before, now = dict(_flat(stored)), dict(_flat(current))
    # The start is named before the network that follows from it.
    for key in sorted((*before, *now), key=lambda key: not key.startswith("training.init")):
        if key not in free and before.get(key) != now.get(key):
            raise NetworkError(
                f"the run was started with another {key}", where=where,
                expected=repr(before.get(key)), found=repr(now.get(key)),
                hint="Resume with the configuration of the run, or start a new one elsewhere",
            )  # fmt: skip


def check_data(stored: Mapping[str, str], current: Mapping[str, str], where: str) -> None:
    """Reject other data than those of the checkpoint at `where`, by the hashes of their parts.

    Raises `DataError` naming the first part that differs.
    """
    for part, digest in current.items():
        before = stored.get(part, "none")
        if before != digest:
            raise DataError(
                f"the {part} data are not those that the run was started with", where=where,
                expected=f"the SHA-256 {before[:12]}", found=digest[:12],
                hint="Resume with the data of the run, or start a new one elsewhere",
            )  # fmt: skip


def _flat(
    mapping: Mapping[str, Any], prefix: str = "", *, in_list: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield the paths of keys and their values; in lists of tables, of empty tables too.

    A stage without a table takes that of the run, and one with an empty table does not.
    """
    for key, value in mapping.items():
        if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            yield f"{prefix}{key}", f"{len(value)} tables"
            numbered = {key_path(place): each for place, each in enumerate(value)}
            yield from _flat(numbered, f"{prefix}{key}.", in_list=True)
        elif isinstance(value, Mapping) and (value or not in_list):
            yield from _flat(value, f"{prefix}{key}.", in_list=in_list)
        else:
            yield f"{prefix}{key}", value
