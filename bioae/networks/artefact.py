"""The artefact: a trained network on disk, as docs/artefact.md specifies it.

It is a folder, or an uncompressed zip archive, of two files: ``network.toml`` and
``weights.safetensors``.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tomli_w
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from bioae.checks import instance
from bioae.errors import ArtefactError, InputError, OutputError, describe
from bioae.fields import Table
from bioae.files import atomic_output, check_only
from bioae.inputs import as_path, parse_toml
from bioae.networks.config import NetworkConfig
from bioae.networks.network import Network
from bioae.networks.trained.cards import FOLDER, available, unknown_name
from bioae.showing import Shown, Summary

__all__ = ["FORMAT_VERSION", "Artefact", "NetworkLike", "load", "network_of", "save"]

FORMAT_VERSION = 1

_DESCRIPTION = "network.toml"
_WEIGHTS = "weights.safetensors"
_HINT = "docs/artefact.md says what an artefact holds"
_FLOATS = ("float32", "float64")
#: What libraries raise for a damaged archive, or one with a password.
_DAMAGED = (EOFError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error)


class _Description(Table):
    """The keys of ``network.toml``."""

    format_version: int
    network: dict[str, Any]
    arrays: dict[str, list[int]]
    training: dict[str, Any]
    metrics: dict[str, Any]


@dataclass(frozen=True, repr=False, eq=False)
class Artefact(Shown):
    """A trained network and the record of its training.

    Attributes
    ----------
    network
        The network.
    training
        The configuration of the training.
    metrics
        Measurements at the end of the training.
    """

    network: Network
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def _summary(self) -> Summary:
        data = self.training.get("data", {}).get("name", "unknown data")
        shown = "".join(
            f"; {name} {value:.4g}"
            for name, value in self.metrics.items()
            if name.startswith("test_") and isinstance(value, float)
        )
        heading, rows = self.network._summary()
        return Summary(f"Trained on {data}{shown}. {heading}", rows)


#: A network, a trained network with its record, or the path or the name of one.
NetworkLike: TypeAlias = Network | Artefact | Path | str


def save(
    network: Network | Artefact,
    path: Path | str,
    *,
    training: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a network atomically; equal networks give equal bytes.

    Parameters
    ----------
    network
        The network; its description is written with every neuron model in full. Or an artefact,
        with its record.
    path
        A folder, or a file that ends in ``.zip`` for an uncompressed archive of the two files.
    training, metrics
        The record of its training: tables that TOML can hold; those of an artefact by default.
    overwrite
        Whether to replace a network that exists at `path`.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, it is a folder of other files, or it cannot be
        written.
    """
    if isinstance(network, Artefact):
        training = network.training if training is None else training
        metrics = network.metrics if metrics is None else metrics
        network = network.network
    instance(network, "the network", (Network, Artefact), error=ArtefactError)
    path = as_path(path, OutputError, "output")
    description = {
        "format_version": FORMAT_VERSION,
        "network": network.config.self_contained().to_mapping(),
        "arrays": {name: list(np.shape(array)) for name, array in sorted(network.weights.items())},
        "training": _plain(training or {}),
        "metrics": _plain(metrics or {}),
    }
    arrays = {name: _stored(array) for name, array in network.weights.items()}
    files = {
        _DESCRIPTION: tomli_w.dumps(description, multiline_strings=True).encode(),
        _WEIGHTS: save_tensors(arrays),
    }
    check_only(path, _DESCRIPTION, _WEIGHTS)
    with atomic_output(path, overwrite=overwrite) as temporary:
        if path.suffix == ".zip":
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
                for name, content in files.items():
                    # A fixed date: equal networks give equal bytes.
                    archive.writestr(zipfile.ZipInfo(name), content)
        else:
            temporary.mkdir()
            for name, content in files.items():
                (temporary / name).write_bytes(content)


def load(name_or_path: Path | str) -> Artefact:
    """Load a trained network; nothing in it is executed.

    Parameters
    ----------
    name_or_path
        The path of a folder or of an archive of one, or the name of a network that comes with
        bioae (`bioae.networks.trained.available`). A path that exists takes precedence over a name.

    Raises
    ------
    ArtefactError
        If there is none, it is truncated or of another kind, or its version or shapes do not fit.
    """
    path, description, arrays = _read(name_or_path)
    where = f"{path}, {_DESCRIPTION}"
    try:
        config = NetworkConfig.from_mapping(description.network, where=where)
        missing = config.models_elsewhere()
        if missing:
            kind, name = missing[0]
            raise ArtefactError(
                f"the {kind} model {name!r} is not in the file", where=where,
                expected=f"a table [network.{kind}s.{name}]", hint=_HINT,
            )  # fmt: skip
        where = f"{path}, {_WEIGHTS}"
        network = Network(config, arrays)
    except ArtefactError:
        raise
    except InputError as error:
        raise ArtefactError(str(error), where=None if str(path) in str(error) else where) from error
    return Artefact(network, description.training, description.metrics)


def _located(name_or_path: Path | str) -> Path:
    """Return the path of a trained network; a word without a folder was meant as a name."""
    path, text = as_path(name_or_path, ArtefactError, "trained network"), str(name_or_path)
    if os.path.lexists(path):
        return path
    if text in available():
        return FOLDER / text
    if text == path.name and path.suffix != ".zip":
        raise unknown_name(text, "a folder, a .zip file, or one of")
    raise ArtefactError(
        "there is no trained network", where=text,
        hint="bioae demo and bioae train each write one, in the folder 'model'",
    )  # fmt: skip


def network_of(source: NetworkLike) -> Network:
    """Return a network: unchanged, from an artefact, or loaded by name or path.

    Raises
    ------
    ArtefactError
        If there is none of this name or at this path, or it does not fit.
    InputError
        If it is anything else.
    """
    if isinstance(source, str | os.PathLike):
        source = load(source)
    if isinstance(source, Artefact):
        return source.network
    instance(source, "the network", (Network, Artefact, Path, str))
    return source


def _read(name_or_path: Path | str) -> tuple[Path, _Description, dict[str, NDArray[Any]]]:
    """Return the path, and the description and the arrays there."""
    path = _located(name_or_path)
    try:
        # Of an archive, no other member is read.
        root = path if path.is_dir() else zipfile.Path(path)
        text, weights = ((root / name).read_bytes() for name in (_DESCRIPTION, _WEIGHTS))
    except (*_DAMAGED, OSError) as error:
        near = [*path.glob(f"*/{_DESCRIPTION}"), *path.glob(f"*/*/{_DESCRIPTION}")]
        reason = str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = f"{Path(error.filename).name}: {error.strerror}"
        raise ArtefactError(
            f"this is not a trained network: {reason or 'it is truncated'}", where=str(path),
            hint=f"Did you mean {min(near).parent}?" if near else _HINT,
        ) from error  # fmt: skip
    where = f"{path}, {_DESCRIPTION}"
    values = parse_toml(text, where=where, error=ArtefactError, hint=_HINT)
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise ArtefactError(
            "the format version does not fit", where=where,
            expected=f"format_version = {FORMAT_VERSION}",
            found="none" if version is None else repr(version),
            hint=_HINT if version is None else "Read it with the version of bioae that wrote it",
        )  # fmt: skip
    try:
        description = _Description.model_validate(values)
    except ValidationError as error:
        raise ArtefactError(**describe(error, _Description), where=where, hint=_HINT) from None
    where = f"{path}, {_WEIGHTS}"
    try:
        # Sorted, because the library's order differs between reads.
        arrays = dict(sorted(load_tensors(weights).items()))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ArtefactError(
            f"the weights are truncated or damaged: {error}", where=where,
            hint="Copy the artefact again, or train it again",
        ) from error  # fmt: skip
    shapes = description.arrays
    for name in sorted({*arrays, *shapes}):
        expected = f"the shape {shapes[name]}" if name in shapes else "no such array"
        found = str(list(arrays[name].shape)) if name in arrays else "none"
        if name in arrays and (kind := arrays[name].dtype.name) not in _FLOATS:
            expected, found = " or ".join(_FLOATS), kind
        elif found == str(shapes.get(name)):
            continue
        raise ArtefactError(
            f"the array {name!r} does not fit the description", where=where, expected=expected,
            found=found, hint=_HINT,
        )  # fmt: skip
    return path, description, arrays


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the stored layout: C order, little-endian, single or double precision."""
    kind = "<f4" if np.asarray(array).dtype == np.float32 else "<f8"
    return np.asarray(array, dtype=kind, order="C")


def _plain(value: Any) -> Any:
    """Return tables without None, which TOML cannot express, and without NumPy's scalars."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value if item is not None]
    return value.item() if isinstance(value, np.generic) else value
