"""The format of an artefact: the bytes that docs/artefact.md specifies, round trips, and names."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import builders
import numpy as np
import pytest
from builders import dense, described
from hypothesis import given
from hypothesis import strategies as st
from refusals import refused
from safetensors.numpy import load_file

import bioae
from bioae.errors import ArtefactError, OutputError
from bioae.networks import Network, trained
from bioae.networks.artefact import load, save
from bioae.networks.trained.cards import FOLDER

NAMES = ["network.toml", "weights.safetensors"]


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_round_trip(name: str, network: Network, tmp_path: Path) -> None:
    training = {"training": {"epochs": 3, "threads": None}, "data": {"name": "sample"}}
    metrics = {"loss": np.float64(0.1), "layers": {"hidden": {"dead_fraction": 0.0}}, "epoch": 3}
    save(network, tmp_path / name, training=training, metrics=metrics)
    loaded = load(tmp_path / name)
    assert loaded.network.config == network.config.self_contained()
    assert loaded.network.weights.keys() == network.weights.keys()
    for key, array in network.weights.items():
        actual = loaded.network.weights[key]
        assert (actual.dtype, actual.shape) == (array.dtype, array.shape), key
        assert actual.tobytes() == array.tobytes(), key
    assert loaded.network.sha256 == network.sha256
    assert loaded.training == {"training": {"epochs": 3}, "data": {"name": "sample"}}
    assert loaded.metrics == {"loss": 0.1, "layers": {"hidden": {"dead_fraction": 0.0}}, "epoch": 3}


def test_an_artefact_keeps_its_record(network: Network, tmp_path: Path) -> None:
    save(network, tmp_path / "a", training={"data": {"name": "sample"}}, metrics={"epoch": 3})
    save(load(tmp_path / "a"), tmp_path / "b")
    for name in NAMES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    save(load(tmp_path / "a"), tmp_path / "c", metrics={"epoch": 4})
    again = load(tmp_path / "c")
    assert (again.training, again.metrics) == ({"data": {"name": "sample"}}, {"epoch": 4})


def test_it_can_be_read_without_bioae(network: Network, tmp_path: Path) -> None:
    save(network, tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == NAMES
    description = tomllib.loads((tmp_path / "model" / "network.toml").read_text(encoding="utf-8"))
    assert list(description) == ["format_version", "network", "arrays", "training", "metrics"]
    assert description["format_version"] == 1
    weights = load_file(tmp_path / "model" / "weights.safetensors")
    assert description["arrays"] == {name: list(array.shape) for name, array in weights.items()}
    assert {name: array.shape for name, array in weights.items()} == {
        "first.weight": (2, 1, 3, 3),
        "first.bias": (2,),
        "hidden.weight": (5, 2),
        "hidden.recurrent": (5, 5),
        "hidden.tau": (5,),
        "hidden.theta": (),
        "output.weight": (36, 5),
    }
    assert {array.dtype.name for array in weights.values()} == {"float64"}
    layers = description["network"]["layers"]
    assert [layer["neuron"] for layer in layers] == ["lif", "lif", "mine", "lif"]
    assert sorted(description["network"]["neurons"]) == ["leaky_readout", "lif", "mine"]


def test_a_zip_holds_the_same_two_files_uncompressed(network: Network, tmp_path: Path) -> None:
    save(network, tmp_path / "model")
    save(network, tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert [member.filename for member in archive.infolist()] == NAMES
        assert all(each.compress_type == zipfile.ZIP_STORED for each in archive.infolist())
        for name in NAMES:
            assert archive.read(name) == (tmp_path / "model" / name).read_bytes()


def test_equal_networks_give_equal_bytes(network: Network, tmp_path: Path) -> None:
    backwards = Network(network.config, dict(reversed(network.weights.items())))
    assert list(backwards.weights) != list(network.weights)
    for number, each in enumerate((network, backwards)):
        save(each, tmp_path / f"{number}.zip")
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    # Reading and writing again changes nothing.
    save(load(tmp_path / "0.zip").network, tmp_path / "2.zip")
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_neuron_models_survive_their_files(network: Network, mine: Path, tmp_path: Path) -> None:
    model = network.config.model(str(mine))
    save(network, tmp_path / "model")
    mine.unlink()
    loaded = load(tmp_path / "model").network
    assert loaded.config.model("mine") == model
    hidden = next(each for each in loaded.config.placed if each.name == "hidden")
    assert hidden.model.parameters["theta"] == "2*mV"
    parameters = loaded.parameters(hidden)
    np.testing.assert_array_equal(parameters["tau"], np.linspace(0.01, 0.03, 5))
    assert float(parameters["theta"]) == 0.0015


def test_arrays_of_other_types_and_layouts(network: Network, tmp_path: Path) -> None:
    weights = dict(network.weights)
    weights["first.weight"] = weights["first.weight"].astype(np.float32)
    weights["hidden.recurrent"] = np.asfortranarray(weights["hidden.recurrent"])
    weights["hidden.weight"] = weights["hidden.weight"].astype(">f8")
    save(Network(network.config, weights), tmp_path / "model")
    loaded = load(tmp_path / "model").network.weights
    assert loaded["first.weight"].dtype == np.float32
    for name, array in weights.items():
        np.testing.assert_array_equal(loaded[name], array, err_msg=name)


# Models contain no text that is refused (NUL, surrogates) or that TOML rewrites (carriage returns).
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))


@given(description=TEXT, equations=TEXT)
def test_any_text_survives(
    description: str, equations: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model = {"description": f"a{description}", "equations": f"v{equations}", "input": "v"}
    layer = dense("only", 2, readout="odd")
    config = described(layer, input_shape=[1, 1, 2], neuron="odd", neurons={"odd": model})
    path = tmp_path_factory.mktemp("odd") / "model.zip"
    save(Network.initialise(config), path)
    actual = load(path).network.config
    assert actual.model("odd") == config.model("odd")
    assert actual.model("odd").equations.startswith("v")


def test_a_folder_of_other_files_is_never_replaced(network: Network, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.tex").write_text("mine")
    with refused(OutputError, where=folder, found="chapter1.tex"):
        save(network, folder, overwrite=True)
    with refused(OutputError, expected="a folder", found="a file"):
        save(network, folder / "chapter1.tex", overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["chapter1.tex"]
    assert (folder / "chapter1.tex").read_text() == "mine"


NAME = trained.available()[0]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_existing_path_takes_precedence_over_a_name(here: Path) -> None:
    shipped = bioae.load(NAME).network.sha256
    assert bioae.load(FOLDER / NAME).network.sha256 == bioae.load(Path(NAME)).network.sha256
    assert bioae.load(Path(NAME)).network.sha256 == shipped
    (here / NAME).mkdir()
    with refused(ArtefactError, "network.toml", where=NAME):
        bioae.load(NAME)
    (here / NAME).rmdir()
    mine = builders.two_layers()
    bioae.save(mine, here / NAME)
    assert bioae.load(NAME).network.sha256 == mine.sha256 != shipped


@pytest.mark.parametrize("path", [f"./{NAME}", f"runs/{NAME}", f"{NAME}.zip", f"{NAME}/", "a\0b"])
def test_what_is_written_as_a_path_is_no_name(path: str, here: Path) -> None:
    with refused(ArtefactError, where=None if "\0" in path else path):
        bioae.load(path)


@pytest.mark.parametrize("word", ["sae-mnits", "SAE-MNIST", "x" * 5000, "lif"])
def test_an_unknown_word_is_refused_in_one_line(word: str, here: Path) -> None:
    with refused(ArtefactError, "a folder, a .zip file", *trained.available()) as caught:
        bioae.load(word)
    assert len(str(caught.value)) < 500
