"""Search and download of data sets, without a network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pooch
import pytest
from refusals import refused

from bioae.datasets import catalogue, fetch, load, locate
from bioae.datasets.catalogue import DataSet
from bioae.datasets.idx import write_idx
from bioae.datasets.store import file_names
from bioae.errors import DataError

MIRRORS = ("https://first.invalid/", "https://second.invalid/")
NAMES = {kind: file_names("test", kind)[0] for kind in ("images", "labels")}  # type: ignore[arg-type]
Server = Callable[[Callable[[str], bytes]], list[str]]


def write_set(folder: Path, labels: tuple[int, int] = (0, 1)) -> None:
    for split in ("train", "test"):
        write_idx(folder / file_names(split, "images")[0], np.full((2, 3, 4), 9, np.uint8))
        write_idx(folder / file_names(split, "labels")[0], np.array(labels, np.uint8))


@pytest.fixture
def origin(tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small data set named digits in the catalogue, whose mirrors hold this folder."""
    folder = tmp_path / "origin"
    write_set(folder)
    sha256 = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    labels = hashlib.sha256(bytes.fromhex("00000801 00000002 0001")).hexdigest()
    digits = DataSet(
        name="digits", description="", source="", licence="", examples={"train": 2, "test": 2},
        mirrors=MIRRORS, sha256=sha256, test_labels_sha256=labels,
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


@pytest.mark.parametrize("place", ["digits", "."])
def test_the_folder_of_a_user(
    origin: Path, tmp_path: Path, serve: Server, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    root = tmp_path / "mine"
    monkeypatch.setenv("BIOAE_DATA", str(root))
    with refused(DataError, where=f"BIOAE_DATA={root}"):
        locate("digits")
    write_set(root / place)
    assert locate("digits") == root / place
    assert len(load("digits")) == 2
    if place == ".":  # another data set of the same file names
        write_idx(root / NAMES["labels"], np.array([5, 6], np.uint8), overwrite=True)
        assert locate("digits") is None
        return
    (root / place / NAMES["labels"]).unlink()
    assert locate("digits") is None
    serve(offline)
    with refused(DataError, hint=re.compile(f"or add {NAMES['labels']} to {root / place}$")):
        fetch("digits")


def test_every_named_set_can_be_fetched_and_identified() -> None:
    remote = [known for known in catalogue.DATA_SETS.values() if known.mirrors]
    names = {f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k")
             for kind in ("images-idx3", "labels-idx1")}  # fmt: skip
    for known in remote:
        assert set(known.sha256) == names
        assert all(len(digest) == 64 for digest in known.sha256.values())
        assert all(mirror.endswith("/") for mirror in known.mirrors)
    assert len({known.test_labels_sha256 for known in remote}) == len(remote) == 2
