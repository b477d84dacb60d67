"""Search and download of data sets, the embedded digits, and the IDX format to the byte."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pooch
import pytest
from refusals import refused

from bioae.datasets import DATA_SETS, catalogue, fetch, load, locate
from bioae.datasets.catalogue import DataSet
from bioae.datasets.idx import read_idx
from bioae.datasets.store import file_names
from bioae.errors import DataError
from scripts.make_sample import write_idx

MIRRORS = ("https://first.invalid/", "https://second.invalid/")
NAMES = {kind: file_names("test", kind)[0] for kind in ("images", "labels")}  # type: ignore[arg-type]
Server = Callable[[Callable[[str], bytes]], list[str]]


def write_set(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        write_idx(folder / file_names(split, "images")[0], np.full((2, 3, 4), 9, np.uint8))
        write_idx(folder / file_names(split, "labels")[0], np.array([0, 1], np.uint8))


@pytest.fixture
def origin(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small data set named digits in the catalogue, whose mirrors hold this folder."""
    folder = tmp_path / "origin"
    write_set(folder)
    sha256 = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    digits = DataSet(
        name="digits", description="", source="", licence="", examples={"train": 2, "test": 2},
        mirrors=MIRRORS, sha256=sha256,
    )  # fmt: skip
    known = MappingProxyType({"digits": digits})
    monkeypatch.setattr(catalogue, "DATA_SETS", known)
    monkeypatch.setattr("bioae.datasets.forms.paths.DATA_SETS", known)
    return folder


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Answer every download by a function of its address, and list the addresses."""

    def install(answer: Callable[[str], bytes]) -> list[str]:
        asked: list[str] = []

        def download(url: str, output_file: str, _pooch: object) -> None:
            asked.append(url)
            Path(output_file).write_bytes(answer(url))

        monkeypatch.setattr(pooch.core, "choose_downloader", lambda *_, **__: download)
        return asked

    return install


def offline(_url: str) -> bytes:
    raise ConnectionError("no route to host\nmore lines")


def test_fetched_once_and_then_cached(origin: Path, empty_cache: Path, serve: Server) -> None:
    asked = serve(lambda url: (origin / Path(url).name).read_bytes())
    assert locate("digits") is None
    folder = fetch("digits")
    assert empty_cache in folder.parents
    assert locate("digits") == folder == fetch("digits")
    assert sorted(asked) == sorted(MIRRORS[0] + path.name for path in origin.iterdir())
    damaged = folder / NAMES["images"]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    del asked[:]
    assert len(load("digits", "test")) == 2
    assert asked == [MIRRORS[0] + damaged.name]


def test_the_second_mirror_is_asked_where_the_first_fails(origin: Path, serve: Server) -> None:
    def answer(url: str) -> bytes:
        first = url.startswith(MIRRORS[0])
        return offline(url) if first else (origin / Path(url).name).read_bytes()

    asked = serve(answer)
    assert fetch("digits").is_dir()
    assert [url for url in asked if url.startswith(MIRRORS[1])]


@pytest.mark.parametrize("answer", [offline, lambda _: b"something else"])
def test_what_cannot_be_fetched(origin: Path, serve: Server, answer: Callable[..., bytes]) -> None:
    serve(answer)
    with refused(DataError, MIRRORS[0], where="digits", hint=re.compile("BIOAE_DATA")) as caught:
        load("digits")
    assert "\n" not in str(caught.value)
    assert locate("digits") is None


def test_the_folder_of_a_user(
    origin: Path, tmp_path: Path, serve: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "mine"
    monkeypatch.setenv("BIOAE_DATA", str(root))
    with refused(DataError, where=f"BIOAE_DATA={root}"):
        locate("digits")
    write_set(root / "digits")
    assert locate("digits") == root / "digits"
    assert len(load("digits")) == 2
    (root / "digits" / NAMES["labels"]).unlink()
    assert locate("digits") is None
    serve(offline)
    with refused(DataError, hint=re.compile("all its IDX files in digits/$")):
        fetch("digits")


def test_every_named_set_can_be_fetched_and_identified() -> None:
    remote = [known for known in catalogue.DATA_SETS.values() if known.mirrors]
    names = {f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k")
             for kind in ("images-idx3", "labels-idx1")}  # fmt: skip
    for known in remote:
        assert set(known.sha256) == names
        assert all(len(digest) == 64 for digest in known.sha256.values())
        assert all(mirror.endswith("/") for mirror in known.mirrors)
    assert len(remote) == 2


SIZES = {"train": 2000, "test": 500}


@pytest.mark.parametrize("split", SIZES)
def test_size_and_balance(split: Any) -> None:
    sample = load("sample", split)
    assert len(sample) == SIZES[split] == DATA_SETS["sample"].examples[split]
    assert sample.shape == (1, 28, 28)
    assert sample.labels is not None
    rounds = np.sort(sample.labels.reshape(-1, 10), axis=1)
    np.testing.assert_array_equal(rounds, np.tile(np.arange(10), (SIZES[split] // 10, 1)))
    assert len(np.unique(sample.indices)) == len(np.unique(sample.values, axis=0)) == len(sample)
    folder = locate("sample")
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000


@pytest.mark.parametrize("split", SIZES)
def test_is_a_part_of_the_full_set(split: Any) -> None:
    if locate("mnist") is None:
        pytest.skip("the full MNIST is not on this machine: bioae data fetch mnist")
    sample, full = load("sample", split), load("mnist", split)
    np.testing.assert_array_equal(sample.values, full.values[sample.indices])
    assert full.labels is not None
    np.testing.assert_array_equal(sample.labels, full.labels[sample.indices])


# Two images of 1 x 3 pixels, byte by byte.
CONTENT = bytes.fromhex("00000803 00000002 00000001 00000003") + bytes([0, 1, 2, 253, 254, 255])
PIXELS = np.array([[[0, 1, 2]], [[253, 254, 255]]], np.uint8)


def test_the_prescribed_bytes(tmp_path: Path) -> None:
    for encode in (bytes, gzip.compress):
        (tmp_path / "images").write_bytes(encode(CONTENT))
        np.testing.assert_array_equal(read_idx(tmp_path / "images", ndim=3), PIXELS, strict=True)
    write_idx(tmp_path / "images", PIXELS)
    assert (tmp_path / "images").read_bytes() == CONTENT
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, PIXELS)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


@pytest.mark.parametrize(
    ("content", "ndim", "fields"),
    [
        (gzip.compress(CONTENT, mtime=0)[:-9], 3, {"hint": re.compile("^Fetch or copy it again")}),
        (CONTENT[:9], 3, {"expected": "an IDX file of 3 dimensions"}),
        (CONTENT[:-1], 3, {"found": re.compile("size 5 .*(2,1,3)")}),
        (CONTENT + b"\0", 3, {"found": re.compile("size 7 .*(2,1,3)")}),
        (CONTENT[:4] + b"\xff" * 12, 3, {}),  # beyond all memory
        (CONTENT, 1, {"expected": "an IDX file of 1 dimension"}),
        (b"\1" + CONTENT[1:], 3, {"found": "the magic number 0x01000803"}),
        (b"\0\0\x07\3" + CONTENT[4:], 3, {"found": "the magic number 0x00000703"}),
        (b"P" * 40, 3, {"found": "the magic number 0x50505050"}),
        (None, 3, {}),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes | None, ndim: int, fields: Any) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    if content is not None:
        path.write_bytes(content)
    with refused(DataError, where=path, **fields):
        read_idx(path, ndim=ndim)
