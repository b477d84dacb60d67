"""The verbs of `import bioae`: networks and data in any form, on any target."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import dense, described, pictures, two_layers
from refusals import refused

import bioae
from bioae.datasets import Data
from bioae.errors import ArtefactError, DataError, InputError, OutputError, ResultError
from bioae.networks.artefact import Artefact, save
from bioae.simulation import input_events

NETWORK = two_layers()
IMAGES = pictures(3, 4, 4)
PLAIN = bioae.simulate(NETWORK, IMAGES, "numpy")


@pytest.fixture(params=["network", "artefact", "folder", "text", "zip"])
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    path = tmp_path / ("model.zip" if request.param == "zip" else "model")
    if request.param in ("network", "artefact"):
        return NETWORK if request.param == "network" else Artefact(NETWORK)
    save(NETWORK, path)
    return str(path) if request.param == "text" else path


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    save(NETWORK, tmp_path / "model.zip")
    return tmp_path / "model.zip"


@pytest.mark.medium
def test_simulate_takes_a_network_in_every_form(form: Any, tmp_path: Path) -> None:
    result = bioae.simulate(form, IMAGES.reshape(3, 16), "numpy")
    assert int(PLAIN["layers"].children["first"]["spike_count"].sum()) > 0
    for name, layer in PLAIN["layers"].children.items():
        assert layer.to_dataset().equals(result["layers"][name].to_dataset())
    bioae.simulate_to(tmp_path / "a.nc", form, IMAGES, "numpy", limit=2, labels=[1, 2, 3])
    with bioae.analysis.open_result(tmp_path / "a.nc") as written:
        assert written["label"].values.tolist() == [1, 2]


#: The names of `import bioae`: the fixed page, as far as it exists.
NAMES = """
load_neuron load_synapse load save NeuronModel SynapseModel Network NetworkConfig
simulate simulate_to learn train fit parity build from_nir to_nir Backend to_script from_brian2
explain Recording open_result write_result analyze analysis datasets plots trainers errors
"""


def test_import_bioae_offers_these_names_and_no_others() -> None:
    assert sorted(bioae.__all__) == sorted(NAMES.split())
    assert bioae.plots is bioae.analysis.plots


def test_examples_are_selected_with_their_random_input() -> None:
    network = bioae.NetworkConfig.from_mapping(
        {**NETWORK.config.to_mapping(), "encoder": {"kind": "bernoulli", "rate": 0.5}}, where="it"
    )
    noisy = bioae.Network(network, NETWORK.weights)
    for target in ("numpy", "torch"):
        every = bioae.simulate(noisy, IMAGES, target)
        some = bioae.simulate(noisy, IMAGES, target, examples=[2, 0])
        assert some["example"].values.tolist() == [2, 0]
        counts = every["layers/first/spike_count"].sel(example=[2, 0])
        np.testing.assert_array_equal(some["layers/first/spike_count"], counts)
        assert int(counts.sum()) > 0
    with refused(DataError):
        bioae.simulate(noisy, IMAGES, "numpy", examples=[0], limit=1)


def test_torch_writes_chunks_and_resumes_as_other_targets_do(tmp_path: Path) -> None:
    backend = bioae.Backend("torch", chunk=1)

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    for path, record in ((tmp_path / "r.nc", ["v"]), (tmp_path / "whole.nc", ["v"])):
        each = replace(backend, record=record)
        if path.name == "r.nc":
            with pytest.raises(KeyboardInterrupt):
                bioae.simulate_to(path, NETWORK, IMAGES, each, progress=stop)
            assert len(list((tmp_path / "r.nc.parts").glob("*.safetensors"))) == 2
        bioae.simulate_to(path, NETWORK, IMAGES, each, resume=True)
    assert (tmp_path / "r.nc").read_bytes() == (tmp_path / "whole.nc").read_bytes()
    tree = bioae.open_result(tmp_path / "r.nc")
    assert tree.attrs["target"] == "torch"
    for name, layer in PLAIN["layers"].children.items():
        np.testing.assert_array_equal(layer["spike_count"], tree[f"layers/{name}/spike_count"])


@pytest.mark.parametrize("options", [{"workers": 2}, {"connectivity": "unrolled"}])
def test_options_that_torch_does_not_have_are_refused(options: Any) -> None:
    with refused(InputError, next(iter(options))):
        bioae.simulate(NETWORK, IMAGES, bioae.Backend("torch", **options))


def test_build_takes_a_network_on_disk(stored: Path) -> None:
    assert bioae.build(stored, presentations=2).source.sha256 == NETWORK.sha256
    with refused(InputError, found="3"):
        bioae.build(3)  # type: ignore[arg-type]


def test_input_events_takes_a_network_on_disk(stored: Path) -> None:
    events = input_events(stored, IMAGES.reshape(3, 16))
    assert events.sum() > 0
    np.testing.assert_array_equal(events, input_events(NETWORK, IMAGES))
    with refused(InputError, "'limt'"):
        input_events(stored, IMAGES, limt=1)


@pytest.mark.parametrize("name", ["sae-mnits", "missing.zip"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    mirror = partial(bioae.simulate, backend="torch")
    for call in (bioae.simulate, mirror, bioae.parity, bioae.build):
        with refused(ArtefactError, name):
            call(name, *(() if call is bioae.build else (IMAGES,)))  # type: ignore[operator]


@pytest.mark.medium
def test_parity_takes_networks_with_data_and_neuron_models(stored: Path) -> None:
    report = bioae.parity(stored, IMAGES[..., None], layout="NHWC")
    assert report.spikes > 0
    assert report.passed
    assert report.examples == 3
    model = bioae.parity("lif", neurons=10, steps=40, examples=2)
    assert (model.model, model.passed) == ("lif", True)
    with refused(InputError, where="data"):
        bioae.parity("lif", IMAGES)
    with refused(DataError, "'NHWC'", where="an array"):
        bioae.parity(stored, IMAGES[..., None])


@pytest.mark.medium
def test_analyze_takes_results_and_networks_in_every_form(stored: Path, tmp_path: Path) -> None:
    bioae.write_result(PLAIN, tmp_path / "a.nc")
    sources = {"x": PLAIN, "y": str(tmp_path / "a.nc")}
    both = bioae.analyze(sources, out=tmp_path / "both", progress=False)
    assert list(both["results"]) == ["x", "y"]
    assert both["comparisons"]
    assert json.loads((tmp_path / "both" / "statistics.json").read_text()) == both
    assert both["results"]["y"].pop("path") == str(tmp_path / "a.nc")
    assert both["results"]["x"] == both["results"]["y"]
    out = tmp_path / "report"
    numbers = bioae.analyze(stored, IMAGES.reshape(3, 16), "numpy", out=out)
    assert numbers["results"] == {"model": both["results"]["x"]}
    assert (out / "report.html").is_file()
    with refused(OutputError):
        bioae.analyze(stored, "no such data", out=out)  # refused before it is simulated


@pytest.mark.parametrize(
    ("call", "wrong", "right"),
    [
        (bioae.simulate, "lables", "labels"),
        (bioae.simulate, "repeat", "repeats"),
        (partial(bioae.simulate_to, "a.nc"), "layot", "layout"),
        (bioae.build(NETWORK).present, "limits", "limit"),
        (partial(bioae.analyze, out="out"), "lables", "labels"),
        (bioae.parity, "lables", "labels"),
        (bioae.learn, "batchsize", "batch_size"),
    ],
)
def test_an_unknown_argument_names_the_function(call: Any, wrong: str, right: str) -> None:
    function = call.func if isinstance(call, partial) else call
    data = (IMAGES,) if function.__name__ == "present" else (NETWORK, IMAGES)
    hint = re.compile(rf"^Did you mean {right!r}\? Its arguments are .*\b{right}\b")
    with refused(InputError, function.__name__, repr(wrong), hint=hint):
        call(*data, **{wrong: 1})


@pytest.mark.medium
def test_parity_takes_synapse_models(tmp_path: Path) -> None:
    file = tmp_path / "my_rule.toml"
    file.write_text(bioae.load_synapse("stdp_pair").to_toml())
    size = {"neurons": 8, "steps": 10, "examples": 2}
    report, same = (bioae.parity(rule, **size) for rule in ("stdp_pair", file))
    assert report.passed
    assert report.spikes == same.spikes > 0
    with refused(InputError, where="perturb"):
        bioae.parity("stdp_pair", perturb=True, **size)
    with refused(InputError, where="data"):
        bioae.parity("stdp_pair", IMAGES)


def test_parity_shows_random_signals_to_networks_of_signals() -> None:
    config = described(
        dense("out", 4, gain=6.0), input_shape=[3], steps=12, encoder={"kind": "frames"},
        decoder={"kind": "count"}, task={"kind": "classification", "classes": 4},
    )  # fmt: skip
    report = bioae.parity(bioae.Network.initialise(config, seed=1).quantised(), limit=3)
    assert (report.examples, report.passed) == (3, True)
    assert report.spikes > 0


def test_arguments_of_parity_that_do_not_fit() -> None:
    with refused(InputError, "'step'", "'steps'"):
        bioae.parity("lif", step=40)
    for model in ("lif", NETWORK):
        with refused(InputError, where="neuron"):
            bioae.parity(model, neuron="adex")
    for word, near in (("liff", "lif"), ("stdp_pai", "stdp_pair"), ("sae-mnst", "sae-mnist")):
        with pytest.raises(InputError) as caught:
            bioae.parity(word)
        assert near in str(caught.value.hint)


@pytest.mark.parametrize("source", [None, 3, {}, [], [3], {"a": None}, object()])
def test_what_is_neither_result_nor_network_is_refused(source: Any, tmp_path: Path) -> None:
    with pytest.raises(ResultError):
        bioae.analyze(source, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "given", [{"data": IMAGES}, {"limit": 2}, {"backend": "numpy"}, {"seed": 0}], ids=str
)
def test_a_result_is_not_simulated_again(given: Any, tmp_path: Path) -> None:
    with refused(InputError, next(iter(given))):
        bioae.analyze(PLAIN, **given, out=tmp_path / "out")


@pytest.mark.medium
def test_a_shipped_name_and_a_data_set_of_pytorch(tmp_path: Path) -> None:
    import torch

    digits = bioae.datasets.load("sample", "test", 2)
    assert isinstance(digits, Data)
    pairs = torch.utils.data.TensorDataset(
        torch.tensor(digits.as_float()), torch.tensor(digits.labels)
    )
    a = bioae.simulate("sae-mnist", pairs, "numpy")
    b = bioae.simulate("sae-mnist", "sample", "numpy", limit=2)
    assert a["label"].values.tolist() == b["label"].values.tolist()
    assert a["layers/latent"]["spike_count"].sum() > 0
    assert np.array_equal(a["layers/latent"]["spike_count"], b["layers/latent"]["spike_count"])
