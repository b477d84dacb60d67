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


def inflating_too_much(file: h5py.File) -> None:
    """Store a block that inflates to 50 MB where 14 kB are declared."""
    options: dict[str, Any] = {"chunks": (12, 12, 12), "compression": "gzip"}
    made = file.create_dataset("more", (12, 12, 12), "f8", **options)
    made.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(50_000_000), 9))


def missing_block(file: h5py.File) -> None:
    replaced(chunks=(1, 12, 12))(file)
    file["input"][:11] = 0


def circle(file: h5py.File) -> None:
    file["layers/again"] = file["layers"]


def text_of_variable_length(file: h5py.File) -> None:
    file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())


def foreign_reference(file: h5py.File) -> None:
    reference = file["example"].ref
    del file["layers/latent/spike_count"].attrs["DIMENSION_LIST"]
    kind = h5py.vlen_dtype(h5py.ref_dtype)
    values = np.empty(2, object)
    hidden = file.create_group(None)  # without a name
    values[:] = [np.array([hidden.ref], h5py.ref_dtype), np.array([reference], h5py.ref_dtype)]
    file["layers/latent/spike_count"].attrs.create("DIMENSION_LIST", values, dtype=kind)


def cases(secret: str = "secret") -> dict[str, tuple[Change, str]]:
    """Return the change of each kind, and the reason why it is refused.

    `secret` is the path of a file elsewhere with a variable `input`.
    """
    return {
        "external storage": (
            replaced(external=[(secret, 0, h5py.h5f.UNLIMITED)]),
            "/input are in another file",
        ),
        "a virtual array": (lambda file: virtual(file, secret), "/input are in another file"),
        "an external link": (
            linked(h5py.ExternalLink(secret, "/input")),
            "a link to another place",
        ),
        "a soft link": (linked(h5py.SoftLink("/reconstruction")), "a link to another place"),
        "a second name": (linked("again"), "holds no numbers"),
        "a circle": (circle, "/layers/again has two names"),
        "no storage": (replaced(), "/input declares 13824 bytes and has none"),
        "no blocks": (replaced(chunks=(1, 12, 12)), "/input declares 12 blocks and has 0"),
        "a missing block": (missing_block, "/input declares 12 blocks and has 11"),
        "a huge array": (
            replaced(shape=(10**10,), chunks=(10**6,)),
            "/input declares 10000 blocks and has 0",
        ),
        "compressed too much": (compressed_too_much, "declares blocks of 8000000 bytes, with 9"),
        "inflating too much": (inflating_too_much, "another size than declared"),
        "another filter": (replaced(compression="lzf"), "/input is compressed in an unknown way"),
        "a checksum": (replaced(fletcher32=True), "/input is compressed in an unknown way"),
        "text of variable length": (text_of_variable_length, "/names holds no numbers"),
        "named types": (lambda file: file.__setitem__("t", np.dtype("f8")), "neither a group nor"),
        "a reference elsewhere": (foreign_reference, "a reference leads to something else"),
    }
