"""Refused artefacts: an error in one line, and no harm from hostile files."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from refusals import refused
from safetensors.numpy import load_file, save_file

from bioae.errors import ArtefactError
from bioae.networks import Network
from bioae.networks.artefact import load, save

Spoil = Callable[[Path], object]

TEXT, WEIGHTS = "network.toml", "weights.safetensors"


@pytest.fixture
def model(network: Network, tmp_path: Path) -> Path:
    path = tmp_path / "model"
    save(network, path)
    return path


def edited(before: str, after: str) -> Spoil:
    def edit(path: Path) -> None:
        text = (path / TEXT).read_text(encoding="utf-8")
        assert before in text
        (path / TEXT).write_text(text.replace(before, after, 1), encoding="utf-8")

    return edit


def written(text: str | bytes) -> Spoil:
    content = text if isinstance(text, bytes) else text.encode()
    return lambda path: (path / TEXT).write_bytes(content)


def arrays(changes: dict[str, np.ndarray | None]) -> Spoil:
    def edit(path: Path) -> None:
        actual = {**load_file(path / WEIGHTS), **changes}
        save_file({n: each for n, each in actual.items() if each is not None}, path / WEIGHTS)

    return edit


def cut(name: str, size: int) -> Spoil:
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:size])


def replaced(name: str, make: Callable[[Path], object]) -> Spoil:
    return lambda path: ((path / name).unlink(), make(path / name))


def without(name: str) -> Spoil:
    return lambda path: (path / name).unlink()


#: Spoilt files; names in the error's line, and its fields.
CASES: dict[str, tuple[Spoil, tuple[str, ...], dict[str, str]]] = {
    "a newer version": (edited("format_version = 1", "format_version = 2"), (TEXT,),
                        {"expected": "format_version = 1", "found": "2"}),
    "no version": (edited("format_version = 1", ""), (TEXT,), {"found": "none"}),
    "an empty description": (written(""), (TEXT,), {"found": "none"}),
    "a text version": (edited("format_version = 1", 'format_version = "1"'), (), {"found": "'1'"}),
    "binary garbage": (written(bytes(range(256))), (TEXT, "UTF-8"), {}),
    "a truncated description": (cut(TEXT, 300), (TEXT, "TOML"), {}),
    "no tables": (written("format_version = 1"), ("'network'",), {}),
    "an unknown table": (edited("[training]", "[trainign]"), ("'trainign'",), {}),
    "an unknown key": (edited("steps = 4", "steps = 4\nstepz = 4"), ("'stepz'",), {}),
    "a key out of bounds": (edited("steps = 4", "steps = -4"), ("steps",), {}),
    "layers that do not fit": (edited("units = 5", "units = 6"), ("(6, 6)", "(5, 5)"), {}),
    "a neuron model that is not there": (edited('neuron = "mine"', 'neuron = "alif"'), ("'alif'",),
                                         {"expected": "a table [network.neurons.alif]"}),
    "a synapse model that is not there": (
        edited("units = 5", 'units = 5\nsynapse = "stdp_pair"'), ("'stdp_pair'",),
        {"expected": "a table [network.synapses.stdp_pair]"},
    ),
    "a neuron model elsewhere": (
        edited('neuron = "mine"', 'neuron = "../mine.toml"'), ("'../mine.toml'",), {},
    ),
    "a model with an unknown key": (edited("threshold =", "treshold ="), ("treshold",), {}),
    "truncated weights": (cut(WEIGHTS, 1000), (WEIGHTS,), {}),
    "empty weights": (cut(WEIGHTS, 0), (WEIGHTS,), {}),
    "a missing array": (
        arrays({"first.weight": None}), ("'first.weight'",),
        {"expected": "the shape [2, 1, 3, 3]", "found": "none"},
    ),
    "a missing parameter": (arrays({"hidden.tau": None}), ("'hidden.tau'",), {"found": "none"}),
    "an array too many": (
        arrays({"more": np.zeros(2)}), ("'more'",), {"expected": "no such array", "found": "[2]"},
    ),
    "an array of another shape": (
        arrays({"output.weight": np.zeros((5, 36))}), ("'output.weight'",),
        {"expected": "the shape [36, 5]", "found": "[5, 36]"},
    ),
    "an array of whole numbers": (
        arrays({"output.weight": np.zeros((36, 5), int)}), ("'output.weight'",),
        {"expected": "float32 or float64", "found": "int64"},
    ),
    "NaN": (arrays({"output.weight": np.full((36, 5), np.nan)}), (WEIGHTS, "'output.weight'"), {}),
    "no description": (without(TEXT), (TEXT,), {}),
    "no weights": (without(WEIGHTS), (WEIGHTS,), {}),
    "a folder for a file": (replaced(TEXT, Path.mkdir), (TEXT, "Is a directory"), {}),
}  # fmt: skip


@pytest.mark.medium
@pytest.mark.parametrize("case", CASES)
def test_a_spoilt_folder(case: str, model: Path) -> None:
    spoil, names, fields = CASES[case]
    load(model)
    spoil(model)
    with refused(ArtefactError, model, *names, **fields):
        load(model)


@pytest.mark.parametrize("kind", ["nothing", "an empty folder", "a text", "no zip"])
def test_files_that_are_not_artefacts(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "thing.zip"
    make: dict[str, Callable[[], object]] = {
        "nothing": lambda: None, "an empty folder": path.mkdir,
        "a text": lambda: path.write_text("format_version = 1"),
        "no zip": lambda: path.write_bytes(b"PK\x03\x04" + bytes(100)),
    }  # fmt: skip
    make[kind]()
    with refused(ArtefactError, where=path):
        load(path)


def archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def members(model: Path) -> dict[str, bytes]:
    return {name: (model / name).read_bytes() for name in (TEXT, WEIGHTS)}


def test_other_members_are_never_read(members: dict[str, bytes], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    more = {"../outside": b"x", str(outside): b"x", "weights.pkl": b"cos\nsystem\n"}
    (tmp_path / "inner").mkdir()
    load(archive(tmp_path / "inner" / "model.zip", {**members, **more}))
    assert not outside.exists()
    assert [path.name for path in (tmp_path / "inner").iterdir()] == ["model.zip"]


@pytest.mark.parametrize("prefix", ["../", "/", "model/"])
def test_archives_of_other_places(prefix: str, members: dict[str, bytes], tmp_path: Path) -> None:
    path = archive(tmp_path / "m.zip", {f"{prefix}{n}": each for n, each in members.items()})
    with refused(ArtefactError, TEXT, where=path):
        load(path)


def test_a_pickle_is_refused_and_never_executed(model: Path, tmp_path: Path) -> None:
    import pickle  # noqa: TID251 - the attack itself

    class Attack:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    file = io.BytesIO()  # NumPy's own files may hold one too
    np.save(file, np.array([Attack()], dtype=object), allow_pickle=True)
    pickles = [pickle.dumps(Attack(), protocol=each) for each in (0, 2, 4)]
    for attack in (*pickles, file.getvalue()):
        assert b"mkdir" in attack
        (model / WEIGHTS).write_bytes(attack)
        with refused(ArtefactError, WEIGHTS):
            load(model)
    assert not (tmp_path / "owned").exists()


@given(data=st.data())
@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # the original is only read
)
def test_damage_anywhere(data: st.DataObject, members: dict[str, bytes], tmp_path: Path) -> None:
    name = data.draw(st.sampled_from([TEXT, WEIGHTS]))
    content = bytearray(members[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = archive(tmp_path / "damaged.zip", {**members, name: bytes(content)})
    try:
        loaded = load(path)
    except ArtefactError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert loaded.network.weights
