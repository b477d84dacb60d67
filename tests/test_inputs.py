"""Inputs: paths, documents, tables, and HDF5 files that refer to others."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import h5py
import pytest
from pydantic import Strict, ValidationError
from refusals import refused

from bioae.analysis import example_result
from bioae.analysis.results.layers import open_result
from bioae.analysis.results.training_metrics import read_metrics
from bioae.datasets import load as load_images
from bioae.equations import load_neuron
from bioae.errors import DataError, InputError, ResultError, key_path, shortened
from bioae.fields import Count, Positive, Size, Steps, Table, Threads
from bioae.inputs import as_path, parse_toml, read_toml
from bioae.networks import artefact
from bioae.simulation import write_result

READERS = (open_result, read_metrics, load_images, load_neuron, artefact.load)


@pytest.mark.parametrize("path", [None, b"out", 3])
def test_what_is_no_path(path: Any) -> None:
    for reader in READERS:
        with pytest.raises(InputError) as caught:
            reader(path)
        assert caught.value.expected == "text or a pathlib.Path"


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert as_path("~/a", DataError, "input") == tmp_path / "a"
    (tmp_path / "a.toml").mkdir()
    for reader in READERS:
        with pytest.raises(InputError, match=str(tmp_path / "a.toml")):
            reader("~/a.toml")


@pytest.mark.parametrize("most", [40, 80])
def test_found_values_are_shortened_to_a_length(most: int) -> None:
    assert shortened("a" * most, most) == "a" * most
    short = shortened("a" * (most + 1), most)
    assert (len(short), short[-4:]) == (most, "a...")


@pytest.mark.parametrize(
    "content", ["a = 'é'".encode("latin-1"), b"a = " + b"[" * 10**5, b"a = 1\na = 2"]
)
def test_documents_that_are_not_toml(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with refused(InputError, where=path) as caught:
        read_toml(path, "file", error=InputError)
    assert len(str(caught.value)) < 300


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse_toml(b"\xef\xbb\xbfa = 1", where="x", error=InputError) == {"a": 1}


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
    wrong = [0, -1, 10**13, math.nan, math.inf, 1e300, None, [math.nan, ""]]
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


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((12, 12, 12), "f8")
    layout[...] = h5py.VirtualSource("secret", "input", (12, 12, 12))
    file.create_virtual_dataset("a/b", layout)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.create_dataset("a/b", (3,), "f8", external=[("secret", 0, 24)]),
        lambda file: file.__setitem__("a/b", h5py.ExternalLink("secret", "/input")),
        virtual,
    ],
)
def test_results_that_refer_to_other_files(
    change: Callable[[h5py.File], object], tmp_path: Path
) -> None:
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    open_result(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ResultError) as caught:
        open_result(path, lazy=True)
    assert (caught.value.where, str(caught.value.found)[:4]) == (str(path), "/a/b")
