"""Checkpoints: the state of a training run on disk, from which it resumes bit for bit.

One safetensors file. Its tensors are ``weight/NAME`` for each parameter of the mirror (neuron
parameters in the dimensionless form in which they are trained) and ``adam/KEY/NAME`` for Adam's
state (``step``, ``exp_avg``, ``exp_avg_sq``). Its metadata are one entry, ``bioae``: JSON with the
format's version, the configuration, the position, the number of threads, and the metrics of the
finished epochs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from bioae.documents import parse_json
from bioae.errors import ArtefactError, NetworkError, describe
from bioae.fields import Table, Threads
from bioae.files import atomic_output
from bioae.inputs import check_input

__all__ = [
    "VERSION",
    "Checkpoint",
    "Position",
    "capture",
    "check_config",
    "load",
    "restore",
    "save",
]

VERSION = 1

# That of safetensors: 1,000 bytes for each of the most epochs.
_LARGEST_HEADER = 100_000_000

#: Keys that may differ when a run is resumed: neither affects a weight.
_FREE = frozenset({"training.epochs", "training.checkpoint_seconds"})


@dataclass
class Position:
    """Progress of a run.

    Parameters
    ----------
    epoch
        Finished epochs.
    batch
        Finished batches of the current epoch.
    examples, seconds
        Images seen in the current epoch, and the time spent on them.
    sums
        Sum of each term of the loss over those images.
    """

    epoch: int = 0
    batch: int = 0
    examples: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)


@dataclass
class Checkpoint:
    """The state of a run between two batches."""

    tensors: dict[str, Tensor]
    position: Position
    history: list[dict[str, Any]]
    config: dict[str, Any]
    threads: int


class _Position(Table):
    """The fields of `Position` in a file."""

    epoch: int = Field(ge=0)
    batch: int = Field(ge=0)
    examples: int = Field(ge=0)
    seconds: float = Field(ge=0)
    sums: dict[str, float]


class _Header(Table):
    """The entry ``bioae`` of a checkpoint's metadata."""

    version: int
    config: dict[str, Any]
    position: _Position
    threads: Threads
    history: list[dict[str, Any]]


def capture(
    weights: Mapping[str, torch.nn.Parameter], optimiser: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint, which share memory with the run's."""
    tensors = {f"weight/{name}": weight.detach() for name, weight in weights.items()}
    for name, weight in weights.items():
        for key, moment in optimiser.state.get(weight, {}).items():
            tensors[f"adam/{key}/{name}"] = moment
    return tensors


def restore(
    tensors: Mapping[str, Tensor],
    weights: Mapping[str, torch.nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Set weights and optimiser from the tensors of a checkpoint.

    Raises
    ------
    ArtefactError
        If the tensors belong to another network.
    """
    stored = {name.removeprefix("weight/") for name in tensors if name.startswith("weight/")}
    if stored != set(weights):
        raise ArtefactError(
            "the checkpoint belongs to another network",
            expected=f"the weights {', '.join(sorted(weights))}",
            found=", ".join(sorted(stored)),
        )
    moments: dict[int, dict[str, Tensor]] = {}
    grouped = [each for group in optimiser.param_groups for each in group["params"]]
    indices = {id(each): index for index, each in enumerate(grouped)}
    for name, weight in weights.items():
        value = tensors[f"weight/{name}"]
        if value.shape != weight.shape or value.dtype != weight.dtype:
            raise ArtefactError(
                f"the checkpoint's {name!r} does not fit",
                expected=f"{weight.dtype} of shape {tuple(weight.shape)}",
                found=f"{value.dtype} of shape {tuple(value.shape)}",
            )
        with torch.no_grad():
            weight.copy_(value)
        moments[indices[id(weight)]] = dict(_moments_of(name, tensors))
    state = {index: tensors for index, tensors in moments.items() if tensors}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _moments_of(name: str, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for key, tensor in tensors.items():
        kind, _, rest = key.partition("/")
        moment, _, owner = rest.partition("/")
        if kind == "adam" and owner == name:
            yield moment, tensor


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint atomically.

    Raises
    ------
    OutputError
        If it cannot be written; an existing checkpoint is then unchanged.
    """
    header = {
        "version": VERSION,
        "config": checkpoint.config,
        "position": asdict(checkpoint.position),
        "threads": checkpoint.threads,
        "history": checkpoint.history,
    }
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    content = save_tensors(tensors, metadata={"bioae": json.dumps(header, allow_nan=False)})
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_bytes(content)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    ArtefactError
        If there is none, or it is truncated, foreign or of another version.
    """
    path = check_input(path, ArtefactError, "checkpoint")
    if not path.is_file():
        raise ArtefactError(
            "there is no checkpoint to resume from",
            where=str(path),
            mend="Start the run without --resume (resume=True)",
        )
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {})["bioae"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise ArtefactError(
            "the checkpoint is truncated or foreign", where=str(path), found=str(error)
        ) from error
    header = _header(text, str(path))
    return Checkpoint(
        tensors=tensors,
        position=Position(**header.position.model_dump()),
        history=header.history,
        config=header.config,
        threads=header.threads,
    )


def _header(text: str, where: str) -> _Header:
    values = parse_json(text.encode(), where=where, error=ArtefactError, largest=_LARGEST_HEADER)
    version = values.get("version", VERSION) if isinstance(values, dict) else VERSION
    if version != VERSION:
        raise ArtefactError(
            "the checkpoint has another version of the format",
            where=where,
            expected=str(VERSION),
            found=str(version),
        )
    try:
        header = _Header.model_validate(values)
    except ValidationError as error:
        raise ArtefactError(**describe(error, _Header), where=where) from error
    if len(header.history) != header.position.epoch:
        raise ArtefactError(
            "the metrics do not fit the finished epochs",
            where=where,
            expected=f"metrics of {header.position.epoch} epochs",
            found=str(len(header.history)),
        )
    return header


def check_config(stored: Mapping[str, Any], current: Mapping[str, Any], where: str) -> None:
    """Refuse to resume a run with another configuration than it was started with.

    Only the number of epochs and the time between checkpoints may change.

    Raises
    ------
    NetworkError
        Naming the first key that differs.
    """
    before, now = dict(_flat(stored)), dict(_flat(current))
    # The start is named before the network that follows from it.
    for key in sorted((*before, *now), key=lambda key: not key.startswith("training.init")):
        if key not in _FREE and before.get(key) != now.get(key):
            raise NetworkError(
                f"the run was started with another {key}",
                where=where,
                expected=repr(before.get(key)),
                found=repr(now.get(key)),
                mend="Resume with the configuration of the run, or start a new one elsewhere",
            )


def _flat(mapping: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
