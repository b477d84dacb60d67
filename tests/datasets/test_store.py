"""Search and download of data sets, without a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pooch
import pytest

from bioae.datasets import catalogue, fetch, load, locate, store
from bioae.datasets.catalogue import DataSet
from bioae.datasets.idx import write_idx
from bioae.datasets.store import Kind, Split, file_names
from bioae.errors import DataError

SPLITS: tuple[Split, ...] = ("train", "test")
KINDS: tuple[Kind, ...] = ("images", "labels")
Answer = Callable[[str], bytes]
Server = Callable[[Answer], list[str]]

MIRRORS = ("https://first.invalid/", "https://second.invalid/")


def write_set(folder: Path) -> None:
    for split in SPLITS:
        write_idx(folder / file_names(split, "images")[0], np.full((2, 3, 4), 9, np.uint8))
        write_idx(folder / file_names(split, "labels")[0], np.array([0, 1], np.uint8))


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a small data set named digits in the catalogue, whose mirrors hold this folder."""
    folder = tmp_path / "origin"
    write_set(folder)
    digits = DataSet(
        name="digits",
        description="",
        source="",
        licence="",
        examples={"train": 2, "test": 2},
        mirrors=MIRRORS,
        sha256={
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
        },
        test_labels_sha256=hashlib.sha256(bytes.fromhex("00000801 00000002 0001")).hexdigest(),
    )
    known = MappingProxyType({"digits": digits})
    monkeypatch.setattr(catalogue, "DATA_SETS", known)
    monkeypatch.setattr("bioae.datasets.forms.paths.DATA_SETS", known)
    return folder


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Answer every download by a function of its address, and list the addresses."""

    def install(answer: Answer) -> list[str]:
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
    assert len(asked) == 4
    assert all(url.startswith(MIRRORS[0]) for url in asked)
    assert locate("digits") == folder == fetch("digits")
    assert len(asked) == 4
    assert len(load("digits", "test")) == 2


def test_a_damaged_file_is_fetched_again(origin: Path, empty_cache: Path, serve: Server) -> None:
    asked = serve(lambda url: (origin / Path(url).name).read_bytes())
    damaged = fetch("digits") / file_names("test", "images")[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    del asked[:]
    assert len(load("digits", "test")) == 2
    assert asked == [MIRRORS[0] + damaged.name]


def test_second_mirror(origin: Path, empty_cache: Path, serve: Server) -> None:
    def answer(url: str) -> bytes:
        return (
            offline(url) if url.startswith(MIRRORS[0]) else (origin / Path(url).name).read_bytes()
        )

    asked = serve(answer)
    assert fetch("digits").is_dir()
    assert [url for url in asked if url.startswith(MIRRORS[1])]


def test_wrong_checksum(origin: Path, empty_cache: Path, serve: Server) -> None:
    serve(lambda url: b"something else")
    with pytest.raises(
        DataError, match=r"digits: the data set could not be fetched.*does not match"
    ):
        fetch("digits")
    assert locate("digits") is None


def test_offline_is_one_line_that_names_the_variable(
    origin: Path, empty_cache: Path, serve: Server
) -> None:
    serve(offline)
    with pytest.raises(
        DataError, match=r"first.invalid/: no route to host; .*BIOAE_DATA"
    ) as caught:
        load("digits")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["digits", "."])
def test_users_folder(
    origin: Path, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    root = tmp_path / "mine"
    write_set(root / place)
    monkeypatch.setenv("BIOAE_DATA", str(root))
    assert locate("digits") == root / place
    assert len(load("digits")) == 2


def test_another_data_set_in_the_users_folder(
    origin: Path, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "mine"
    write_set(root)
    write_idx(root / file_names("test", "labels")[0], np.array([5, 6], np.uint8), overwrite=True)
    monkeypatch.setenv("BIOAE_DATA", str(root))
    assert locate("digits") is None


def test_users_folder_is_missing(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIOAE_DATA", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"BIOAE_DATA=.*none: not a folder"):
        locate("mnist")


def test_incomplete_folder_is_not_taken(
    origin: Path, empty_cache: Path, serve: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIOAE_DATA", str(tmp_path))
    origin.rename(tmp_path / "digits")
    assert locate("digits") == tmp_path / "digits"
    (tmp_path / "digits" / file_names("train", "labels")[0]).unlink()
    assert locate("digits") is None
    serve(offline)
    with pytest.raises(DataError, match=r"or add train-labels-idx1-ubyte.gz to .*digits$"):
        fetch("digits")


def test_every_named_set_can_be_fetched_and_identified() -> None:
    remote = [known for known in catalogue.DATA_SETS.values() if known.mirrors]
    assert len(remote) == 2
    names = {store.file_names(split, kind)[0] for split in SPLITS for kind in KINDS}
    for known in remote:
        assert set(known.sha256) == names
        assert all(len(digest) == 64 for digest in known.sha256.values())
        assert all(mirror.endswith("/") for mirror in known.mirrors)
    assert len({known.test_labels_sha256 for known in remote}) == 2
