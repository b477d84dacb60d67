"""Parts of a result: their files, and the memory that they need."""

from __future__ import annotations

import gc
import json
import os
import shutil
import weakref
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from builders import three_layers
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from refusals import refused

from bioae import simulate_to
from bioae.analysis import open_result
from bioae.errors import OutputError
from bioae.networks import Network
from bioae.simulation import Backend, BrianNetwork
from bioae.simulation.results import tree
from bioae.simulation.results.chunk import Chunk, LayerSpikes
from bioae.simulation.results.parts import Parts, missing
from bioae.simulation.results.tree import build_result
from bioae.simulation.workers import job as runners

Images = NDArray[np.float64]
IDENTITY = {"network": "a", "images": "b", "seed": "0"}


@pytest.fixture(scope="module")
def network() -> Network:
    return three_layers()


@pytest.fixture(scope="module")
def whole(network: Network, images: Images, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a result that was never interrupted."""
    return stored(network, images, tmp_path_factory.mktemp("whole") / "r.nc")


def stored(network: Network, images: Images, path: Path, **options: Any) -> bytes:
    chunk, workers = options.pop("chunk", None), options.pop("workers", 1)
    backend = Backend("numpy", record=["v"], chunk=chunk, workers=workers)
    simulate_to(path, network, images, backend, seed=3, resume=True, **options)
    assert int(open_result(path)["/layers/output/spike_count"].sum()) > 0
    return path.read_bytes()


class Interrupter:
    """Interrupts a run after some chunks."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.examples = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        read = BrianNetwork.read

        def counted(built: BrianNetwork, examples: int) -> Chunk:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.examples += examples
            return read(built, examples)

        patch.setattr(BrianNetwork, "read", counted)


@pytest.fixture(scope="module")
def interrupted(network: Network, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the parts of a run that was interrupted after two chunks of two images."""
    parts = tmp_path_factory.mktemp("interrupted") / "r.nc.parts"
    interrupter = Interrupter(2)
    with pytest.MonkeyPatch.context() as patch:
        interrupter.install(patch)
        with pytest.raises(KeyboardInterrupt):
            stored(network, images, parts.with_suffix(""), chunk=2)
    assert len(list(parts.glob("*.safetensors"))) == 2
    return parts


@pytest.fixture
def half(interrupted: Path, tmp_path: Path) -> Path:
    """Return the path of a result, with a copy of those parts."""
    shutil.copytree(interrupted, tmp_path / "r.nc.parts")
    return tmp_path / "r.nc"


def parts_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.parts")


@pytest.mark.medium
@pytest.mark.parametrize("options", [{"chunk": 3}, {}, {"chunk": 1, "workers": 2}], ids=str)
def test_a_resumed_run(
    options: dict[str, Any], network: Network, images: Images, whole: bytes, half: Path
) -> None:
    reported: list[tuple[int, int]] = []
    options["progress"] = lambda done, of: reported.append((done, of))
    assert stored(network, images, half, **options) == whole
    assert 4 < reported[0][0] <= reported[-1][0] == 7
    assert {of for _, of in reported} == {7}


@pytest.mark.medium
def test_finished_chunks_are_not_run_again(
    network: Network, images: Images, whole: bytes, half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    interrupter = Interrupter(100)
    with monkeypatch.context() as patch:
        interrupter.install(patch)
        patch.setattr("bioae.simulation.run.write_pieces", interrupted)
        with pytest.raises(KeyboardInterrupt):
            stored(network, images, half)
    assert interrupter.examples == 3
    monkeypatch.setattr(runners, "BrianNetwork", None)  # nothing is built
    assert stored(network, images, half) == whole
    assert not parts_of(half).exists()


@pytest.mark.medium
@pytest.mark.parametrize("damage", ["cut", "emptied"])
def test_a_damaged_part_is_run_again(
    damage: str, network: Network, images: Images, whole: bytes, half: Path
) -> None:
    part = min(parts_of(half).glob("*.safetensors"))
    part.write_bytes({"cut": part.read_bytes()[:-9], "emptied": b""}[damage])
    assert stored(network, images, half) == whole


@pytest.mark.medium
def test_another_run_is_refused(network: Network, images: Images, half: Path) -> None:
    other = Network(network.config, {k: v / 2 for k, v in network.weights.items()})
    before = {path: path.read_bytes() for path in parts_of(half).iterdir()}
    same = Backend("numpy", record=["v"])
    for differs, change in {
        "seed": {"seed": 4},
        "dtype": {"backend": replace(same, dtype="float32")},
        "target": {"backend": replace(same, target="cython")},
        "recorded": {"backend": replace(same, record=[])},
        "connectivity": {"backend": replace(same, connectivity="unrolled")},
        "images": {"data": images[::-1]},
        "network": {"network": other},
    }.items():
        options: Any = {
            "network": network, "data": images, "backend": same, "seed": 3, **change
        }  # fmt: skip
        with refused(OutputError, differs, where=parts_of(half)):
            simulate_to(half, resume=True, **options)
    assert {path: path.read_bytes() for path in parts_of(half).iterdir()} == before
    file = parts_of(half) / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"version of brian2": "1.0"}))
    with refused(OutputError, "version of brian2", expected="1.0"):
        stored(network, images, half)


@given(
    length=st.integers(0, 30), ends=st.sets(st.integers(0, 30)), kept=st.sets(st.integers(0, 30)),
    size=st.integers(1, 9),
)  # fmt: skip
def test_missing_parts(length: int, ends: set[int], kept: set[int], size: int) -> None:
    bounds = sorted({0, length, *(end for end in ends if end < length)})
    finished = [
        slice(start, stop) for place, (start, stop) in enumerate(pairwise(bounds)) if place in kept
    ]
    parts = missing(length, finished, size)
    assert all(0 < part.stop - part.start <= size for part in parts)
    covered = [n for part in [*parts, *finished] for n in range(part.start, part.stop)]
    assert sorted(covered) == list(range(length))


@pytest.mark.medium
@pytest.mark.parametrize(
    "kind", ["link", "dangling link", "file", "nothing inside", "[]", "{", "\xff"]
)
def test_what_is_no_folder_of_parts_is_kept(
    kind: str, network: Network, images: Images, half: Path, tmp_path: Path
) -> None:
    parts, elsewhere = parts_of(half), tmp_path / "elsewhere"
    parts.rename(elsewhere)
    if kind.endswith("link"):
        parts.symlink_to(elsewhere if kind == "link" else "nowhere")
    elif kind == "file":
        parts.touch()
    else:
        parts.mkdir()
        if kind != "nothing inside":
            (parts / "run.json").write_text(kind, encoding="latin-1")
    for options in ({"resume": True}, {"resume": False, "overwrite": True}):
        with refused(OutputError, where=parts):
            simulate_to(half, network, images, Backend("numpy"), **options)
    assert os.path.lexists(parts)
    assert len(list(elsewhere.iterdir())) == 3


@given(cuts=st.sets(st.integers(1, 29)), ends=st.tuples(st.integers(0, 30), st.integers(0, 30)))
@settings(max_examples=20)
def test_parts_that_hold_some_presentations(cuts: set[int], ends: tuple[int, int]) -> None:
    numbers = np.arange(30)
    layer = LayerSpikes("a", (30,), numbers, np.ones((30, 1), np.int64))
    with TemporaryDirectory() as folder:
        parts = Parts(Path(folder) / "parts", IDENTITY)
        for start, stop in reversed([*pairwise([0, *sorted(cuts), 30])]):
            part = slice(start, stop)
            parts.add(part, Chunk((layer[part],), numbers[part] / 1.0))
        again = Parts.of(parts.folder, IDENTITY, 30)
        assert again == parts
        part = slice(*sorted(ends))
        if part.start < part.stop:
            assert again.spikes(part, 0) == part.stop - part.start
            np.testing.assert_array_equal(again.layer(part, 0).neuron, numbers[part])
            np.testing.assert_array_equal(again.output(part), numbers[part])


@pytest.mark.medium
def test_a_part_that_is_lost(half: Path) -> None:
    identity = json.loads((parts_of(half) / "run.json").read_text())
    parts = Parts.of(parts_of(half), identity, 7)
    min(parts_of(half).glob("*.safetensors")).unlink()
    with refused(OutputError, "resume"):
        parts.output(slice(0, 1))


def result() -> Any:
    none = np.zeros(0, np.int64)
    layer = LayerSpikes.of(
        "only", (3,), example=none, step=none, neuron=none, examples=2, steps=4,
    )  # fmt: skip
    images = np.zeros((2, 1, 2, 2))
    return build_result(
        layers=[layer], images=images, reconstruction=images, example=np.arange(2), dt_ms=1.0,
        steps=4, target="test", seed=0, neuron_model="", network_sha256="0" * 64,
    )  # fmt: skip


@pytest.mark.medium
def test_results_are_freed_although_their_nodes_refer_to_one_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.collect()
    gc.disable()  # as between collections, of which there are few
    try:
        for most, freed in ((2**40, False), (0, True)):
            monkeypatch.setattr(tree, "_COLLECTED_BYTES", most)
            first = result()
            reference = weakref.ref(first["layers/only"].variables["spike_count"].to_numpy())
            del first
            assert reference() is not None
            result()
            assert (reference() is None) == freed
    finally:
        gc.enable()
