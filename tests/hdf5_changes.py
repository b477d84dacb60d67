"""Changes of HDF5 files that a stranger could make, none of which a result needs.

Each leads to a file elsewhere, or declares more than there is.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Change = Callable[[h5py.File], object]


def replaced(**options: Any) -> Change:
    """Replace the variable `input` by another of the same shape."""

    def change(file: h5py.File) -> None:
        shape, dtype = file["input"].shape, file["input"].dtype
        del file["input"]
        file.create_dataset("input", **{"shape": shape, "dtype": dtype, **options})

    return change


def virtual(file: h5py.File, secret: str = "secret") -> None:
    """Let `input` be that of another file."""
    layout = h5py.VirtualLayout(file["input"].shape, "f8")
    layout[...] = h5py.VirtualSource(secret, "input", file["input"].shape)
    del file["input"]
    file.create_virtual_dataset("input", layout)


def linked(link: object) -> Change:
    def change(file: h5py.File) -> None:
        del file["input"]
        file["input"] = link

    return change


def compressed_too_much(file: h5py.File) -> None:
    """Declare blocks of 8 MB, and store a few bytes for each."""
    options: dict[str, Any] = {"chunks": (1, 1000, 1000), "compression": "gzip"}
    made = file.create_dataset("more", (12, 1000, 1000), "f8", **options)
    for example in range(12):
        made.id.write_direct_chunk((example, 0, 0), zlib.compress(b"\0"))


def missing_block(file: h5py.File) -> None:
    replaced(chunks=(1, 12, 12))(file)
    file["input"][:11] = 0


def circle(file: h5py.File) -> None:
    file["layers/again"] = file["layers"]


def text_of_variable_length(file: h5py.File) -> None:
    file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())


def cases(secret: str = "secret") -> dict[str, tuple[Change, str]]:
    """Return the change of each kind, and the object that the refusal names.

    `secret` is the path of a file elsewhere with a variable `input`.
    """
    outside = replaced(external=[(secret, 0, h5py.h5f.UNLIMITED)])
    return {
        "external storage": (outside, "/input"),
        "a virtual array": (lambda file: virtual(file, secret), "/input"),
        "an external link": (linked(h5py.ExternalLink(secret, "/input")), "/input"),
        "a soft link": (linked(h5py.SoftLink("/reconstruction")), "/input"),
        "a second name": (linked("again"), "/input"), "a circle": (circle, "/layers/again"),
        "no storage": (replaced(), "/input"), "no blocks": (replaced(chunks=(1, 12, 12)), "/input"),
        "a missing block": (missing_block, "/input"),
        "a huge array": (replaced(shape=(10**10,), chunks=(10**6,)), "/input"),
        "compressed too much": (compressed_too_much, "/more"),
        "another filter": (replaced(compression="lzf"), "/input"),
        "a checksum": (replaced(fletcher32=True), "/input"),
        "text of variable length": (text_of_variable_length, "/names"),
        "named types": (lambda file: file.__setitem__("t", np.dtype("f8")), "/t"),
    }  # fmt: skip
