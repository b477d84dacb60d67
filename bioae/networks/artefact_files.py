"""The two files of an artefact, in a folder or an uncompressed zip archive: read and written."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from bioae.errors import ArtefactError, OutputError
from bioae.files import atomic_output

__all__ = ["DESCRIPTION", "MEND", "WEIGHTS", "read_files", "write_files"]

DESCRIPTION = "network.toml"
WEIGHTS = "weights.safetensors"
MEND = "docs/artefact.md says what an artefact holds"


def write_files(path: Path, files: Mapping[str, bytes], *, overwrite: bool) -> None:
    """Write both files, whole or not at all; equal contents give equal bytes.

    Parameters
    ----------
    path
        A folder, or a file that ends in ``.zip``.
    files
        The contents, by name.
    overwrite
        Whether to replace what stands at `path`.

    Raises
    ------
    OutputError
        If `path` exists and `overwrite` is false, it is a folder of other files, or it cannot be
        written.
    """
    _check_replaced(path)
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


def _check_replaced(path: Path) -> None:
    others = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if others - {DESCRIPTION, WEIGHTS}:
        raise OutputError(
            "the folder holds more than a trained network and was kept",
            where=str(path),
            expected=f"nothing but {DESCRIPTION} and {WEIGHTS}",
            found=min(others - {DESCRIPTION, WEIGHTS}),
            mend="Choose another path",
        )


def read_files(path: Path) -> tuple[bytes, bytes]:
    """Return the description and the weights; nothing else at `path` is looked at.

    Raises
    ------
    ArtefactError
        If there is nothing at `path`, or one of the two is missing or cannot be read.
    """
    return _read(path, DESCRIPTION), _read(path, WEIGHTS)


def _read(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            return _from_folder(path / name)
        if path.is_file():
            return _from_archive(path, name)
    # An archive of an unknown kind, or with a password, is a RuntimeError to the library.
    except (EOFError, KeyError, OSError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
        missing = isinstance(error, KeyError | FileNotFoundError)
        reason = f"{name} is missing" if missing else str(error) or "it is truncated"
        raise ArtefactError(
            f"this is not a trained network: {reason}",
            where=str(path),
            mend=_near(path),
        ) from error
    raise ArtefactError(
        "there is no trained network",
        where=str(path),
        mend="bioae demo and bioae train each write one, in the folder 'model'",
    )


def _from_folder(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise ValueError(f"{path.name} is not a file")
    return path.read_bytes()


def _from_archive(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(name)
        if member.compress_type != zipfile.ZIP_STORED:  # what is not compressed cannot grow
            raise ValueError(f"{name} is compressed, and only uncompressed archives are read")
        return archive.read(member)


def _near(path: Path) -> str:
    """Say where a trained network lies in a run's folder, when that was given in its stead."""
    found = sorted(path.glob(f"*/{DESCRIPTION}")) + sorted(path.glob(f"*/*/{DESCRIPTION}"))
    return f"Did you mean {found[0].parent}?" if found else MEND
