"""Checkpoints: the state of a training run on disk, from which it resumes bit for bit.

One safetensors file. Its tensors are ``weight/NAME`` for each parameter of the mirror (neuron
parameters in the dimensionless form in which they are trained), ``optimiser/KEY/NAME`` for the
optimiser's state (``step``, ``exp_avg``, ``exp_avg_sq`` of Adam, ``momentum_buffer`` of gradient
descent with momentum), ``average/NAME`` for the moving average of the weights and ``best/NAME`` for
those of the best epoch, where the run has them. Its metadata
are one entry, ``bioae``: JSON with the format's version, the configuration, the hashes of the data,
the position, the number of threads, and the metrics of the finished epochs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from bioae.documents import parse_json
from bioae.errors import ArtefactError, describe
from bioae.fields import Table, Threads
from bioae.files import atomic_output
from bioae.inputs import check_input

__all__ = [
    "VERSION",
    "Checkpoint",
    "Position",
    "capture",
    "check_exists",
    "load",
    "restore",
    "save",
]

VERSION = 3

# That of safetensors: 1,000 bytes for each of the most epochs.
_LARGEST_HEADER = 100_000_000

#: The arrays of a checkpoint that have the names and shapes of the weights.
_LIKE_WEIGHTS = ("weight", "average", "best")

#: The optimiser's arrays, and their name in older checkpoints.
_OPTIMISER = ("optimiser", "adam")


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
    data: dict[str, str]
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
    data: dict[str, str]
    position: _Position
    threads: Threads
    history: list[dict[str, Any]]


def capture(
    arrays: Mapping[str, Mapping[str, Tensor]],
    weights: Mapping[str, torch.nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint, which share memory with the run's.

    Parameters
    ----------
    arrays
        By ``weight``, ``average`` and ``best``, where the run has them: the tensors by name.
    weights
        The weights that the optimiser moves, by name.
    optimiser
        The optimiser.
    """
    tensors = {
        f"{kind}/{name}": tensor.detach()
        for kind, named in arrays.items()
        for name, tensor in named.items()
    }
    for name, weight in weights.items():
        for key, moment in optimiser.state.get(weight, {}).items():
            tensors[f"optimiser/{key}/{name}"] = moment
    return tensors


def restore(
    tensors: Mapping[str, Tensor],
    arrays: Mapping[str, Mapping[str, Tensor]],
    weights: Mapping[str, torch.nn.Parameter],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Set a run's tensors and optimiser from the tensors of a checkpoint; see `capture`.

    Raises
    ------
    ArtefactError
        If the tensors belong to another network or another kind of run.
    """
    for kind in _LIKE_WEIGHTS:
        named = arrays.get(kind, {})
        _check_names(kind, tensors, named)
        for name, tensor in named.items():
            _restore(tensor, tensors[f"{kind}/{name}"], name)
    grouped = [each for group in optimiser.param_groups for each in group["params"]]
    indices = {id(each): index for index, each in enumerate(grouped)}
    moments = {
        indices[id(weight)]: dict(_moments_of(name, tensors)) for name, weight in weights.items()
    }
    state = {index: tensors for index, tensors in moments.items() if tensors}
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _check_names(kind: str, tensors: Mapping[str, Tensor], names: Collection[str]) -> None:
    prefix = f"{kind}/"
    stored = {name.removeprefix(prefix) for name in tensors if name.startswith(prefix)}
    if stored != set(names):
        raise ArtefactError(
            "the checkpoint belongs to another network",
            expected=f"for {kind!r} the arrays {', '.join(sorted(names)) or 'none'}",
            found=", ".join(sorted(stored)) or "none",
        )


@torch.no_grad()
def _restore(tensor: Tensor, stored: Tensor, name: str) -> None:
    if stored.shape != tensor.shape or stored.dtype != tensor.dtype:
        raise ArtefactError(
            f"the checkpoint's {name!r} does not fit",
            expected=f"{tensor.dtype} of shape {tuple(tensor.shape)}",
            found=f"{stored.dtype} of shape {tuple(stored.shape)}",
        )
    if not torch.isfinite(stored).all():
        raise ArtefactError(f"the checkpoint's {name!r} has values that are not finite")
    tensor.copy_(stored)


def _moments_of(name: str, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for key, tensor in tensors.items():
        kind, _, rest = key.partition("/")
        moment, _, owner = rest.partition("/")
        if kind in _OPTIMISER and owner == name:
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
        "data": checkpoint.data,
        "position": asdict(checkpoint.position),
        "threads": checkpoint.threads,
        "history": checkpoint.history,
    }
    tensors = {name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()}
    content = save_tensors(tensors, metadata={"bioae": json.dumps(header, allow_nan=False)})
    with atomic_output(path, overwrite=True) as temporary:
        temporary.write_bytes(content)


def check_exists(path: Path) -> Path:
    """Return the path of a checkpoint.

    Raises
    ------
    ArtefactError
        If there is none.
    """
    path = check_input(path, ArtefactError, "checkpoint")
    if not path.is_file():
        raise ArtefactError(
            "there is no checkpoint to resume from",
            where=str(path),
            hint="Start the run without --resume (resume=True)",
        )
    return path


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    ArtefactError
        If there is none, or it is truncated, foreign or of another version.
    """
    path = check_exists(path)
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
        data=header.data,
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
            hint="Start the run again, with --overwrite (overwrite=True) or elsewhere",
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
