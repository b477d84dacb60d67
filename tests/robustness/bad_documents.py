"""A case, the good files that cases change, and documents that are not plain TOML."""

from __future__ import annotations

import io
import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from robustness.bad_fields import SIDE

__all__ = ["Case", "Material", "npy", "spoilt", "write"]


@dataclass
class Case:
    """A command line, the files in its folder, and whether it is valid."""

    kind: str
    arguments: list[str]
    files: Mapping[str, bytes]
    valid: bool = False
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """Good files, which cases change: an artefact, the folder of a run, and a result."""

    artefact: Mapping[str, bytes]
    run: Mapping[str, bytes]
    result: bytes

    @property
    def images(self) -> bytes:
        """Two images as an .npy file."""
        return npy(np.linspace(0, 1, 2 * SIDE * SIDE).reshape(2, SIDE, SIDE))

    def model(self, **changes: bytes) -> dict[str, bytes]:
        """Return the files of the artefact, by their path, with some of them changed."""
        files = {**self.artefact, **{k.replace("_", "."): v for k, v in changes.items()}}
        return {f"model/{name}": content for name, content in files.items()}

    @property
    def described(self) -> dict[str, Any]:
        """The description of the artefact."""
        return tomllib.loads(self.artefact["network.toml"].decode())


def npy(array: Any, *, pickle: bool = False) -> bytes:
    """Return an array as the bytes of an .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=pickle)
    return stream.getvalue()


def spoilt(rng: random.Random, content: bytes, key: str) -> bytes:
    """Return a document that is no longer plain TOML; `key` is one that it holds."""
    deep = rng.choice([33, 3_000, 100_000])
    return rng.choice([
        b"\xef\xbb\xbf" + content,
        content.decode().encode("utf-16"),
        content.replace(b"e", b"\xe9", 1),
        content + b"\0",
        content[: len(content) // 2] + b"\n[[",
        content + b'\nx = "',
        b".".join([b"a"] * deep) + b" = 1\n" + content,
        b"a = " + b"[" * deep + b"]" * deep + b"\n" + content,
        b"a = " + b"{b=" * deep + b"1" + b"}" * deep + b"\n" + content,
        b"[" + b".".join([b"a"] * deep) + b"]\n",
        b"a = 1e400\n" + content,
        b"a = " + b"9" * 5_000 + b"\n" + content,
        b"a = " + b"9" * 30 + b"\n" + content,
        b"a = inf\n" + content,
        b'a = "\\u0000"\n' + content,
        b'"a\\u0000" = 1\n' + content,
        b"#" * 5_000_000 + b"\n" + content,
        f"{key} = 1\n{key} = 2\n".encode() + content,
        bytes(range(256)),
        rng.randbytes(300),
    ])  # fmt: skip


def write(case: Case, folder: Path) -> None:
    """Write the files of a case into a folder."""
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
