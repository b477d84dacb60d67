"""A trained network on disk: ``network.toml`` and ``weights.safetensors``, specified in docs/."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from bioae.errors import ArtefactError, InputError, describe
from bioae.networks.artefact_files import DESCRIPTION, MEND, WEIGHTS, read_files, write_files
from bioae.networks.network import Network, NetworkConfig

__all__ = ["FORMAT_VERSION", "Artefact", "load", "save"]

FORMAT_VERSION = 1

_MOST_TEXT = 16 * 2**20
_FLOATS = ("float32", "float64")


class _Description(BaseModel):
    """What ``network.toml`` holds, before the network is looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format_version: int
    network: dict[str, Any]
    arrays: dict[str, list[int]]
    training: dict[str, Any]
    metrics: dict[str, Any]


@dataclass(frozen=True)
class Artefact:
    """A trained network with what is known of its making.

    Attributes
    ----------
    network
        The network.
    training
        The configuration that it was trained with.
    metrics
        What was measured at the end of the training.
    """

    network: Network
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)


def save(
    network: Network,
    path: Path | str,
    *,
    training: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a network, whole or not at all.

    Parameters
    ----------
    network
        The network; its description is written with every neuron model in full.
    path
        A folder, or a file that ends in ``.zip`` for an uncompressed archive of the two files.
    training, metrics
        What is known of its making: tables that TOML can hold.
    overwrite
        Whether to replace what stands at `path`.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, it is a folder of other files, or it cannot be
        written.
    """
    description = {
        "format_version": FORMAT_VERSION,
        "network": network.config.self_contained().to_mapping(),
        "arrays": {name: list(np.shape(array)) for name, array in sorted(network.weights.items())},
        "training": _plain(training or {}),
        "metrics": _plain(metrics or {}),
    }
    arrays = {name: _stored(array) for name, array in network.weights.items()}
    text = tomli_w.dumps(description, multiline_strings=True).encode()
    files = {DESCRIPTION: text, WEIGHTS: save_tensors(arrays)}
    write_files(Path(path), files, overwrite=overwrite)


def load(path: Path | str) -> Artefact:
    """Read an artefact; nothing in it is executed.

    Parameters
    ----------
    path
        A folder, or an archive of one.

    Raises
    ------
    ArtefactError
        If there is none, it is truncated or foreign, or its version or shapes do not fit.
    """
    path = Path(path)
    text, weights = read_files(path)
    where = f"{path}, {DESCRIPTION}"
    description = _parse(text, where)
    arrays = _arrays(weights, description.arrays, f"{path}, {WEIGHTS}")
    try:
        config = NetworkConfig.from_mapping(description.network, where=where)
        _check_self_contained(config, where)
        network = Network(config, arrays)
    except ArtefactError:
        raise
    except InputError as error:
        raise ArtefactError(str(error), where=None if str(path) in str(error) else where) from error
    return Artefact(network, description.training, description.metrics)


def _parse(text: bytes, where: str) -> _Description:
    try:
        if len(text) > _MOST_TEXT:
            raise ValueError(f"it is larger than {_MOST_TEXT // 2**20} MiB")
        values = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"this is not valid TOML: {error}", where=where, mend=MEND) from error
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise ArtefactError(
            "the format version does not fit",
            where=where,
            expected=f"format_version = {FORMAT_VERSION}",
            found="none" if version is None else repr(version),
            mend=MEND if version is None else "Read it with the version of bioae that wrote it",
        )
    try:
        return _Description.model_validate(values)
    except ValidationError as error:
        raise ArtefactError(**describe(error, _Description), where=where, mend=MEND) from error


def _check_self_contained(config: NetworkConfig, where: str) -> None:
    named = {name for layer in config.layers for name in (layer.neuron, layer.readout)}
    missing = {name or config.neuron for name in named} - config.neurons.keys()
    if missing:
        raise ArtefactError(
            f"the neuron model {min(missing)!r} is not in the file",
            where=where,
            expected=f"a table [network.neurons.{min(missing)}]",
            mend=MEND,
        )


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as it is written: C order, little-endian, single or double precision."""
    kind = "<f4" if np.asarray(array).dtype == np.float32 else "<f8"
    return np.asarray(array, dtype=kind, order="C")


def _arrays(content: bytes, shapes: Mapping[str, Any], where: str) -> dict[str, NDArray[Any]]:
    try:
        # Sorted, for the library's order differs from one reading to the next.
        arrays = dict(sorted(load_tensors(content).items()))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"the weights are truncated or damaged: {error}",
            where=where,
            mend="Copy the artefact again, or train it anew",
        ) from error
    found = {name: list(array.shape) for name, array in arrays.items()}
    if found != shapes:
        name = min(name for name in {*found, *shapes} if found.get(name) != shapes.get(name))
        raise ArtefactError(
            f"the array {name!r} does not fit the description",
            where=where,
            expected=f"the shape {shapes[name]}" if name in shapes else "no such array",
            found=f"{found[name]}" if name in found else "none",
            mend=MEND,
        )
    for name, array in arrays.items():
        if array.dtype.name not in _FLOATS:
            raise ArtefactError(
                f"the array {name!r} has the wrong type",
                where=where,
                expected=" or ".join(_FLOATS),
                found=array.dtype.name,
                mend=MEND,
            )
    return arrays


def _plain(value: Any) -> Any:
    """Return tables as TOML can hold them: without None, which it has no word for."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value if item is not None]
    return value.item() if isinstance(value, np.generic) else value
