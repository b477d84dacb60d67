"""A trained network on disk: ``network.toml`` and ``weights.safetensors``, specified in docs/."""

from __future__ import annotations

import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from bioae.errors import ArtefactError, InputError
from bioae.files import atomic_output
from bioae.network import Network, NetworkConfig

__all__ = ["FORMAT_VERSION", "Artefact", "load", "save"]

FORMAT_VERSION = 1
DESCRIPTION = "network.toml"
WEIGHTS = "weights.safetensors"

_MEND = "docs/artefact.md says what an artefact holds"


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
        If `path` exists and `overwrite` is false, or it cannot be written.
    """
    description = {
        "format_version": FORMAT_VERSION,
        "network": network.config.self_contained().to_mapping(),
        "arrays": {name: list(np.shape(array)) for name, array in sorted(network.weights.items())},
        "training": _plain(training or {}),
        "metrics": _plain(metrics or {}),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in network.weights.items()}
    members = {
        DESCRIPTION: tomli_w.dumps(description, multiline_strings=True).encode(),
        WEIGHTS: save_tensors(arrays),
    }
    with atomic_output(path, overwrite=overwrite) as temporary:
        if Path(path).suffix == ".zip":
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for name, content in members.items():
                    # A fixed date: equal networks give equal bytes.
                    archive.writestr(zipfile.ZipInfo(name), content)
        else:
            temporary.mkdir()
            for name, content in members.items():
                (temporary / name).write_bytes(content)


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
    members = _members(path)
    where = f"{path}, {DESCRIPTION}"
    try:
        description = tomllib.loads(members[DESCRIPTION].decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ArtefactError(f"this is not valid TOML: {error}", where=where, mend=_MEND) from error
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise ArtefactError(
            "the format version does not fit",
            where=where,
            expected=f"format_version = {FORMAT_VERSION}",
            found=f"{version}",
            mend="Read it with the version of bioae that wrote it" if version else _MEND,
        )
    arrays = _arrays(members[WEIGHTS], description.get("arrays", {}), f"{path}, {WEIGHTS}")
    try:
        config = NetworkConfig.from_mapping(description.get("network", {}), where=where)
        network = Network(config, arrays)
    except InputError as error:
        raise ArtefactError(str(error), where=None if str(path) in str(error) else where) from error
    return Artefact(network, description.get("training", {}), description.get("metrics", {}))


def _members(path: Path) -> dict[str, bytes]:
    if not path.exists():
        raise ArtefactError(
            "there is no trained network",
            where=str(path),
            mend="bioae demo and bioae train each write one, in the folder 'model'",
        )
    members = {}
    for name in (DESCRIPTION, WEIGHTS):
        try:
            if path.is_dir():
                members[name] = (path / name).read_bytes()
            else:
                with zipfile.ZipFile(path) as archive:
                    members[name] = archive.read(name)
        except (FileNotFoundError, KeyError):
            raise ArtefactError(
                f"this is not a trained network: {name} is missing", where=str(path), mend=_MEND
            ) from None
        except (OSError, zipfile.BadZipFile) as error:
            raise ArtefactError(
                f"this is not a trained network: {error}", where=str(path), mend=_MEND
            ) from error
    return members


def _arrays(content: bytes, shapes: Mapping[str, Any], where: str) -> dict[str, NDArray[Any]]:
    try:
        arrays = load_tensors(content)
    except SafetensorError as error:
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
        )
    return arrays


def _plain(value: Any) -> Any:
    """Return tables as TOML can hold them: without None, which it has no word for."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value if item is not None]
    return value.item() if isinstance(value, np.generic) else value
