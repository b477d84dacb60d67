"""Inputs: regular files and folders, plain documents and tables, within limits."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Strict, ValidationError
from refusals import refused

from bioae.analysis.results.layers import open_result
from bioae.analysis.results.training_metrics import read_metrics
from bioae.datasets import load as load_images
from bioae.equations import load_neuron
from bioae.errors import DataError, InputError, key_path, shortened
from bioae.fields import Count, Positive, Size, Steps, Table, Threads, check_plain
from bioae.inputs import check_input, open_input, parse_json, parse_toml, read_input, read_toml
from bioae.networks import artefact
from bioae.trainers import TrainingConfig

READERS = (open_result, read_metrics, load_images, load_neuron, artefact.load)


@pytest.mark.parametrize("name", ["pipe.toml", "link.toml", "/dev/zero"])
def test_special_inputs_are_refused_at_once(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "link.toml").symlink_to("pipe.toml")
    with pytest.raises(OSError, match="holds no data"):
        open_input(tmp_path / name)
    for reader in (*READERS, TrainingConfig.read, lambda path: check_input(path, DataError)):
        with pytest.raises(InputError, match=name):
            reader(tmp_path / name)


def test_no_more_is_read_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "large").write_text("123")
    assert read_input(tmp_path / "large", most=3) == b"123"
    for path, most in ((tmp_path / "large", 2), (tmp_path, 2**20)):
        with pytest.raises(OSError, match=r"larger|directory"):
            read_input(path, most)


@pytest.mark.parametrize("path", [None, b"out", 3])
def test_what_is_no_path(path: Any) -> None:
    for reader in (*READERS, lambda path: check_input(path, DataError)):
        with pytest.raises(InputError) as caught:
            reader(path)
        assert caught.value.expected == "text or a pathlib.Path"


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert check_input("~/a", DataError) == tmp_path / "a"
    (tmp_path / "a.toml").mkdir()
    for reader in READERS:
        with pytest.raises(InputError, match=str(tmp_path / "a.toml")):
            reader("~/a.toml")


@pytest.mark.parametrize("most", [40, 80])
def test_found_values_are_shortened_to_a_length(most: int) -> None:
    assert shortened("a" * most, most) == "a" * most
    short = shortened("a" * (most + 1), most)
    assert (len(short), short[-4:]) == (most, "a...")


BAD_TOML = {
    "a byte order mark": b"\xef\xbb\xbfa = 1",
    "Latin-1": "a = 'é'".encode("latin-1"),
    "a long key": b"a" + b".a" * 300_000 + b" = 1",
    "a long quoted key": b"'a'" + b' . "a"' * 300 + b" = 1",
    "deep lists": b"a = " + b"[" * 10**5 + b"]" * 10**5,
    "deep tables": b"a = " + b"{a = " * 40 + b"1" + b"}" * 40,
    "a large number": b"a = 1e400",
    "not a number": b"[t]\na = [nan]",
    "a whole number of 65 bits": b"a = 18446744073709551616",
    "a whole number of 5,000 digits": b"a = " + b"9" * 5_000,
    "NUL": b'a = "\\u0000"',
    "NUL in a key": b'"\\u0000" = 1',
    "a key twice": b"a = 1\na = 2",
    "5 MB": b"#" * 5_000_000,
}


@pytest.mark.parametrize("case", BAD_TOML)
def test_documents_that_are_not_plain_toml(case: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(BAD_TOML[case])
    with refused(InputError, where=path) as caught:
        read_toml(path, "file", error=InputError)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "content", [b"", b"{", b"NaN", b"[1e999]", b"[" * 10**5, b"\xff", b"2" * 30]
)
def test_documents_that_are_not_plain_json(content: bytes) -> None:
    with refused(InputError, where="x.json"):
        parse_json(content, where="x.json", error=InputError)


def test_plain_documents_are_read() -> None:
    plain = {"a": [1, -1.5, True, "é"], "b": {"c": 2**63 - 1}}
    assert parse_json(json.dumps(plain).encode(), where="x", error=InputError) == plain
    text = 'a = [1, -1.5, true, "é"]\nb.c = 9223372036854775807'
    assert parse_toml(text.encode(), where="x", error=InputError) == plain
    check_plain(plain)


@pytest.mark.parametrize("path", ["none.toml", "no\0file.toml", "x" * 300, "."])
def test_files_that_cannot_be_read(path: str, tmp_path: Path) -> None:
    with refused(InputError):
        read_toml(tmp_path / path, "file", error=InputError)


class Example(Table):
    size: Size = 1
    steps: Steps = 1
    count: Count = 1
    threads: Threads = 1
    number: Positive = 1.0
    text: str = ""
    flag: bool = False
    pair: Annotated[tuple[float, str], Strict(False)] = (1.0, "")


@pytest.mark.parametrize("key", Example.model_fields)
def test_a_field_takes_its_type_and_nothing_else(key: str) -> None:
    plain = [True, 1, 1.0, "1", [1.0, ""]]
    wrong = [0, -1, 10**13, math.nan, math.inf, 1e300, None, "a\0b", [math.nan, ""], [1.0, "\0"]]
    accepted = []
    for value in [*plain, *wrong, ["1", ""], {}, object()]:
        try:
            Example.model_validate({key: value})
        except ValidationError:
            continue
        accepted.append(repr(value))
    own = {"text": ["1"], "flag": [True], "pair": [[1.0, ""]], "number": [1, 1.0]}
    assert accepted == [repr(value) for value in own.get(key, [1])]


def test_entries_of_lists_are_counted_from_1() -> None:
    places = {0: "1st", 1: "2nd", 2: "3rd", 3: "4th", 10: "11th", 12: "13th", 20: "21st",
              110: "111th", 121: "122nd"}  # fmt: skip
    for place, name in places.items():
        assert key_path("stages", place, "epochs") == f"stages.{name}.epochs"
