"""Mutations of files: damage of bytes, and what a stranger would write on purpose."""

from __future__ import annotations

import io
import os
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5_changes
import numpy as np

Random = np.random.Generator
Mutation = Callable[[Path, Random], object]

#: Signatures near which the structure of a file is, where damage hurts most.
_STRUCTURE = re.compile(
    rb"TREE|SNOD|HEAP|OHDR|OCHK|FRHP|FHDB|FHIB|BTHD|BTLF|BTIN|GCOL|FSHD|FSSE|\x89HDF|PK|NUMPY|\x1f\x8b"
)
_EXTREME = (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
_VALUES = (
    '"x"', "-1", "0", "1e308", "nan", "inf", "true", "[]", "{}", "[[[]]]", f"{2**63}", "null",
    '"../../outside/secret.toml"', '"\\u0000"', f"{2**31}", '"F64"', '"BF16"', '"I64"',
)  # fmt: skip


def damage(content: bytes, random: Random) -> bytes:
    """Change the bytes of a file in one to three ways."""
    for _ in range(random.integers(1, 4)):
        content = _DAMAGES[random.integers(len(_DAMAGES))](content, random)
    return content


def _place(content: bytes, random: Random) -> int:
    """Return a place, mostly one in the structure."""
    if random.random() < 0.7:
        places = [match.start() for match in _STRUCTURE.finditer(content)] or [0]
        return min(places[random.integers(len(places))] + int(random.integers(160)), len(content))
    return int(random.integers(len(content) + 1))


def _flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.integers(1, 9)):
        at = _place(content, random)
        if at < len(changed):
            changed[at] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def _insert(content: bytes, random: Random) -> bytes:
    at = _place(content, random)
    return content[:at] + random.bytes(int(random.integers(1, 64))) + content[at:]


def _delete(content: bytes, random: Random) -> bytes:
    at = _place(content, random)
    return content[:at] + content[at + int(random.integers(1, 64)) :]


def _length(content: bytes, random: Random) -> bytes:
    """Write an extreme number over a field of one to eight bytes."""
    at, size = _place(content, random), 2 ** int(random.integers(4))
    order = "little" if random.random() < 0.8 else "big"
    number = _EXTREME[random.integers(len(_EXTREME))] % 2 ** (8 * size)
    return content[:at] + number.to_bytes(size, order) + content[at + size :]  # type: ignore[arg-type]


def _copy(content: bytes, random: Random) -> bytes:
    """Write a piece of the file over another."""
    source, at, size = (_place(content, random) for _ in range(3))
    piece = content[source : source + size % 256]
    return content[:at] + piece + content[at + len(piece) :]


def _zero(content: bytes, random: Random) -> bytes:
    at, size = _place(content, random), int(random.integers(1, 64))
    return content[:at] + bytes(len(content[at : at + size])) + content[at + size :]


_DAMAGES = (_flip, _cut, _insert, _delete, _length, _copy, _zero)


def damaged(path: Path, random: Random) -> None:
    """Damage a file, or one or two files of a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for _ in range(1 if len(files) == 1 else int(random.integers(1, 3))):
        file = files[random.integers(len(files))]
        file.write_bytes(damage(file.read_bytes(), random))


def changed_folder(path: Path, random: Random) -> None:
    """Remove, exchange, or replace a file of a folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    first, second = (files[random.integers(len(files))] for _ in range(2))
    match random.integers(5):
        case 0:
            first.unlink()
        case 1:
            first.write_bytes(second.read_bytes())
        case 2:
            first.unlink()
            first.mkdir()
        case 3:
            first.unlink()
            os.mkfifo(first)
        case 4:
            first.rename(first.with_name(f"0{first.name}"))


def changed_text(path: Path, random: Random) -> None:
    """Replace values of a text by others of another type or size."""
    files = [path / name for name in ("network.toml", "run.json") if (path / name).exists()]
    text = files[0].read_text(encoding="utf-8")
    for _ in range(random.integers(1, 4)):
        values = list(re.finditer(r'"[^"\n]*"|\b[\d.]+\b|true|false|\w+(?= =)', text))
        if values:
            match = values[random.integers(len(values))]
            value = _VALUES[random.integers(len(_VALUES))]
            text = text[: match.start()] + value + text[match.end() :]
    files[0].write_text(text, encoding="utf-8")


def changed_header(path: Path, random: Random) -> None:
    """Change types, sizes and places in the header of a safetensors file."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    file = files[random.integers(len(files))]
    content = file.read_bytes()
    size = struct.unpack_from("<Q", content)[0]
    text, rest = content[8 : 8 + size].decode(), content[8 + size :]
    for _ in range(random.integers(1, 3)):
        values = list(re.finditer(r'\\?"[^"\\]*\\?"|\d+|\[[^\[\]]*\]', text))
        match = values[random.integers(len(values))]
        value = _VALUES[random.integers(len(_VALUES))]
        if match.group().startswith("\\"):
            value = value.replace('"', '\\"')
        text = text[: match.start()] + value + text[match.end() :]
    header = text.encode()
    declared = len(header) if random.random() < 0.8 else int(random.integers(2**20))
    file.write_bytes(struct.pack("<Q", declared) + header + rest)


def changed_archive(path: Path, random: Random) -> None:
    """Remove, repeat, compress or exchange members of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    at, other = (int(random.integers(len(members))) for _ in range(2))
    name, content = members[at]
    match random.integers(6):
        case 0:
            del members[at]
        case 1:
            members.append((name, damage(content, random)))
        case 2:
            members[at] = (name, members[other][1])
        case 3:
            members[at] = (name, damage(content, random))
        case 4:
            members.append((f"../../{name}", content))
        case 5:
            members[at] = (f"{name}/", content)
    method = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w") as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            chosen = method[random.integers(4)] if random.random() < 0.5 else zipfile.ZIP_STORED
            archive.writestr(name, content, compress_type=chosen)
    path.write_bytes(made.getvalue())


def changed_npz(path: Path, random: Random) -> None:
    """Store arrays of other types and shapes, one of them with a changed header."""
    dtype = ("u1", "i8", "f2", "f8", "c16", "M8[s]", "S4", "U3", "?", ">f4")[random.integers(10)]
    shape = tuple(map(int, random.integers(0, 6, random.integers(0, 5))))
    array = np.zeros(shape, dtype)
    made = io.BytesIO()
    np.lib.format.write_array(made, array, allow_pickle=False)
    content = made.getvalue()
    if random.random() < 0.5:
        values = list(re.finditer(rb"\d+(?=[,)])|'[^']*'", content[:128]))
        match = values[random.integers(len(values))]
        new = (b"9" * 19, b"-1", b"'O'", b"'<f8'", b"None", b"10**9", b"[")[random.integers(7)]
        old = content[10:128]
        header = (content[10 : match.start()] + new + content[match.end() : 128])[: len(old)]
        content = content[:10] + header.ljust(len(old)) + content[128:]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", content)
        archive.writestr("labels.npy", damage(content, random))


def changed_hdf5(path: Path, random: Random) -> None:
    """Use features of HDF5 that lead elsewhere, or declare more than there is; then damage it."""
    secret = path.parents[1] / "outside" / "secret"
    changes = [change for change, _ in hdf5_changes.cases(str(secret)).values()]
    with h5py.File(path, "r+") as file:
        changes[random.integers(len(changes))](file)
        if random.random() < 0.3:
            _change_attribute(file, random)
    if random.random() < 0.3:
        damaged(path, random)


def changed_attributes(path: Path, random: Random) -> None:
    """Give attributes other types and values, and arrays other types."""
    with h5py.File(path, "r+") as file:
        for _ in range(random.integers(1, 4)):
            _change_attribute(file, random)
        if random.random() < 0.5:
            name = ("input", "label", "layers/latent/spike_time_ms")[random.integers(3)]
            shape = file[name].shape
            kept = dict(file[name].attrs)
            kind = ("i1", "u8", "f4", "f2", "S3", "c8", "?", "f16")[random.integers(8)]
            del file[name]
            made = file.create_dataset(name, data=np.ones(shape, kind))
            for key, value in kept.items():
                if key != "REFERENCE_LIST":
                    made.attrs[key] = value


def _change_attribute(file: h5py.File, random: Random) -> None:
    owners = [file, file["input"], file["example"], file["layers/latent/spike_count"]]
    owner = owners[random.integers(4)]
    more = ("units", "_FillValue", "scale_factor", "dtype", "coordinates", "calendar")
    names = [*owner.attrs, *more]
    name = names[random.integers(len(names))]
    value = (
        "days since 1e99", "", "x y z", np.nan, -1, 2**63 - 1, np.zeros(3), np.zeros((2, 2)),
        b"\xff", "a/b", np.array(["a", "b"], "S1"), 0.0, "example", "ms", True, h5py.Empty("f8"),
    )[random.integers(16)]  # fmt: skip
    if name in owner.attrs:
        del owner.attrs[name]
    owner.attrs[name] = value
