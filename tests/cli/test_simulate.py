"""``bioae simulate``: its results, and its refusals."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from bioae import simulate
from bioae.datasets import load
from bioae.networks import Network
from bioae.simulation.backend import Backend

Run = Callable[..., Any]
Refused = Callable[..., str]


def opened(path: Path) -> xr.DataTree:
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()


@pytest.fixture
def command(tiny_model: Path) -> tuple[object, ...]:
    return ("simulate", tiny_model, "--out", "r.nc", "--target", "numpy")


def test_the_result_is_that_of_the_library(
    run: Run, here: Path, command: tuple[object, ...], tiny_network: Network
) -> None:
    options = ("--examples", "17, 3", "--seed", 5, "--record", "v,v", "--dtype", "float64")
    assert run(*command, *options) == (0, "r.nc\n", "")
    images = load("sample", "test")[[17, 3]]
    expected = simulate(tiny_network, images, Backend("numpy", record=["v"]), seed=5)
    result = opened(here / "r.nc")
    assert int(expected["/layers/output/spike_count"].sum()) > 100
    assert expected.identical(result)


def test_steps_and_time_step(run: Run, here: Path, command: tuple[object, ...]) -> None:
    assert run(*command, "--limit", 1, "--steps", 3, "--dt", "0.5*ms").status == 0
    attributes = opened(here / "r.nc").attrs
    assert (attributes["steps"], attributes["dt_ms"]) == (3, 0.5)


@pytest.mark.usefixtures("here")
def test_a_time_step_that_shortens_presentations_is_said(
    run: Run, command: tuple[object, ...], tiny_network: Network
) -> None:
    steps = tiny_network.config.steps
    done = run(*command, "--limit", 1, "--dt", "0.5*ms")
    expected = f"Presentations last {steps / 2:g} ms, {steps} ms before: {steps} steps of 0.5 ms"
    assert expected in " ".join(done.out.split())
    same = run(*command, "--limit", 1, "--dt", "1000*us", "--overwrite")
    assert (same.status, same.out) == (0, "r.nc\n")


def test_a_file_of_images(run: Run, here: Path, command: tuple[object, ...]) -> None:
    images = np.random.default_rng(0).random((2, 28, 28))
    np.save(here / "mine.npy", images)
    assert run(*command, "--data", "mine.npy").status == 0
    np.testing.assert_array_equal(opened(here / "r.nc")["input"], images)


def test_another_neuron_and_its_effects(
    run: Run, here: Path, command: tuple[object, ...], tiny_network: Network
) -> None:
    options = ("--limit", 4, "--neuron", "lif_refractory")
    done = run(*command, *options, "--compare")
    assert (done.status, done.err) == (0, "")
    first, weights, errors, *table = done.out.splitlines()
    assert (first, table[0].strip()) == ("r.nc", "Firing before and after")
    factor = float(weights.split(" times ")[1].split(",")[0])
    assert weights == f"Weights of lif_refractory: times {factor:.3g}, so that f-I curves match"
    assert errors.startswith("Squared error per image: ")
    assert max(map(len, table)) <= 80
    assert [line.split() for line in table[2:4]] == [
        ["Hz", "Hz", "dead", "dead", "bursting", "bursting"],
        ["layer", *("before", "after") * 3],
    ]
    rows = [line.split() for line in table if line.strip().startswith(("latent", "output"))]
    result = opened(here / "r.nc")
    changed = tiny_network.with_neuron("lif_refractory")
    assert result.attrs["network_sha256"] == changed.sha256
    assert result.attrs["weight"].startswith("latent: ") or "*" in result.attrs["weight"]
    counts = [result[f"/layers/{row[0]}/spike_count"] for row in rows]
    assert [float(row[2]) for row in rows] == pytest.approx(
        [float(count.mean()) / 5e-3 for count in counts], rel=0.01
    )
    assert min(float(count.sum()) for count in counts) > 0
    for by, message in (("psp", "so that single spikes match"), ("none", "as they are")):
        done = run(*command, *options, "--overwrite", "--calibrate", by)
        assert done.out.startswith("r.nc\nWeights of lif_refractory: ")
        assert done.out.endswith(f"{message}\n")
        assert done.out.count("\n") == 2


def test_a_parameter_of_a_layer_prevails_over_that_of_all_layers(
    run: Run, here: Path, command: tuple[object, ...], tiny_network: Network
) -> None:
    everywhere, latent = ("--parameter", "tau=5*ms"), ("--parameter", "latent.tau=20*ms")
    expected = tiny_network.with_parameters({"tau": "5*ms"})
    expected = expected.with_parameters({"tau": "20*ms"}, layers=["latent"])
    for options in ((*everywhere, *latent), (*latent, *everywhere)):
        assert run(*command, "--limit", 1, "--overwrite", *options).status == 0
        assert opened(here / "r.nc").attrs["network_sha256"] == expected.sha256


def test_a_neuron_that_needs_finer_steps(run: Run, here: Path, command: tuple[object, ...]) -> None:
    text = (
        'description = "fine"\nequations = "dv/dt = -v/tau : 1"\nthreshold = "v > 1"\n'
        'reset = "v = 0"\ninput = "v"\ndt = "0.5*ms"\n[parameters]\ntau = "20*ms"\n'
    )
    (here / "fine.toml").write_text(text)
    done = run(*command, "--limit", 2, "--neuron", "fine.toml")
    assert done.out.endswith("so that f-I curves match; dt 0.5 ms, 10 steps\n")
    attributes = opened(here / "r.nc").attrs
    assert (attributes["steps"], attributes["dt_ms"]) == (10, 0.5)


def test_spread_background_and_delay(
    run: Run, here: Path, command: tuple[object, ...], tiny_network: Network
) -> None:
    options = ("--spread", "tau=0.2, theta=0.1", "--background", "0.5,30*Hz", "--delay", "1*ms")
    done = run(*command, "--limit", 3, "--seed", 4, "--compare", *options)
    assert done.out.startswith("r.nc\nSquared error per image: ")
    changed = tiny_network.with_spread({"tau": 0.2, "theta": 0.1}, seed=4)
    changed = changed.with_background((0.5, "30*Hz")).with_delay("1*ms")
    expected = simulate(changed, load("sample", "test", 3), "numpy", seed=4)
    result = opened(here / "r.nc")
    assert int(result["/layers/output/spike_count"].sum()) > 0
    assert expected.identical(result)


def test_repeats(run: Run, here: Path, command: tuple[object, ...], tiny_network: Network) -> None:
    options = ("--limit", 3, "--repeats", 4, "--delay", "1*ms", "--compare")
    done = run(*command, *options)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("r.nc\nSquared error per image: ")
    changed = tiny_network.with_delay("1*ms")
    expected = simulate(changed, load("sample", "test", 3), "numpy", repeats=4)
    assert expected.sizes["repeat"] == 4
    assert expected.identical(opened(here / "r.nc"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--repeats", 0), 'Invalid value "0" for --repeats. Must be >= 1.'),
        (("--calibrate", "psp"), "--calibrate: no effect, because without --neuron no weights are"),
        (("--spread", "tau"), "--spread: the spread cannot be read; expected a parameter and its"),
        (("--spread", "=0.1"), "--spread: the spread cannot be read; expected a parameter and its"),
        (("--spread", "tau=0.1", "tau = 0.2"), "a parameter is named twice; found 'tau'"),
        (("--spread", "taw=0.1"), "no layer's neuron model has a parameter 'taw'; expected one of"),
        (("--background", "much"), "--background: the background cannot be read; expected a stan"),
        (("--background", "0.1,2*kHz"), "--background: the rate of background spikes does not fit"),
        (("--delay", "1*second"), "--delay: the delay does not fit"),
        (
            ("--compare",),
            "--compare: there is no change to compare; expected --neuron, --param",
        ),
        (("--calibrate", "area"), 'Choose from: "rate", "psp", "none".'),
        (("--neuron", "leaky_readout"), "the neuron model 'leaky_readout' never fires"),
        (("--limit", 0), 'Invalid value "0" for --limit. Must be >= 1.'),
        (("--limit", -3), 'Invalid value "-3" for --limit. Must be >= 1.'),
        (("--limit", "1.5"), "Invalid value for --limit: expected a whole number, found '1.5'."),
        (("--limit", 501), "sample, split test: there are too few images; "),
        (("--examples", "a"), "'a' is no whole number"),
        (("--examples", "3,,4"), "'' is no whole number"),
        (("--examples", "500"), "an example is not in the data; expected positions from 0 to 499"),
        (("--examples=-1",), "examples: these are not positions of examples"),
        (("--examples", "3,17,3"), "examples: these are not positions of examples"),
        (("--examples", "3", "--limit", 2), "limit and examples exclude each other"),
        (("--steps", 0), 'Invalid value "0" for --steps. Must be >= 1.'),
        (("--dt", "1*mV"), "--dt: '1*mV' has the wrong unit; expected second; found volt"),
        (("--dt", "0*ms"), "expected a positive time (1e-12 to 1e+06 seconds); found 0*ms"),
        (("--dt", "fast"), "--dt: unknown name 'fast'"),
        (("--delay", "2ms"), '--delay: this is not a Brian2 expression; expected for instance "20'),
        (("--background", "1,2Hz"), "--background: this is not a Brian2 expression; expected for"),
        (("--record", "v,,v"), "--record: no layer has a variable ''"),
        (("--workers", 0), 'Invalid value "0" for --workers. Must be >= 1.'),
        (("--seed", -1), 'Invalid value "-1" for --seed. Must be >= 0.'),
        (("--seed", 2**64), "Must be <= 18446744073709551615"),
        (("--record", "u"), "--record: no layer has a variable 'u'; expected one of v"),
        (("--record",), "--record requires at least 1 element"),
        (("--split", "valid"), 'Choose from: "train", "test".'),
        (("--dtype", "float16"), 'Did you mean "float64"?'),
        (("--targt", "numpy"), "Unknown option: --targt. Did you mean --target?"),
        (("--data", "mnits"), "unknown data set; expected sample, mnist, fashion-mnist, "),
        (("more",), "The argument 'more' is not expected."),
    ],
    ids=str,
)
def test_options_that_do_not_fit(
    options: tuple[object, ...], message: str, refused: Refused, command: tuple[object, ...]
) -> None:
    assert message in refused(*command, *options)


def test_an_unknown_target(refused: Refused, tiny_model: Path) -> None:
    line = refused("simulate", tiny_model, "--out", "r.nc", "--target", "cpp")
    assert 'Choose from: "numpy", "cython", "cpp_standalone", "cuda_standalone".' in line


GOOD = np.full((3, 28, 28), 0.5)
IMAGES: dict[str, tuple[Any, str]] = {
    "of the wrong size": (
        GOOD[:, :20],
        "expected (channel, y, x) = (1, 28, 28); found (1, 20, 28)",
    ),
    "with NaN": (
        np.where(np.eye(28), np.nan, GOOD),
        "a pixel is not finite; expected numbers in [0, 1]; found nan at",
    ),
    "out of range": (GOOD * 255, "a pixel is outside the range; expected numbers in [0, 1]"),
    "none": (GOOD[:0], "there are no images; expected at least one image"),
    "a single one": (GOOD[0], "a single image is image[None]"),
    "complex": (GOOD * 1j, "images must be numbers"),
    "objects": (np.array([{}], dtype=object), "without Python objects"),
}


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_images_that_do_not_fit(
    kind: str, suffix: str, refused: Refused, here: Path, command: tuple[object, ...]
) -> None:
    images, message = IMAGES[kind]
    if suffix == ".npy":
        if kind == "a single one":
            pytest.skip("an .npy file may hold a single image")
        np.save(here / "mine.npy", images)
    else:
        np.savez(here / "mine.npz", images=images)
    assert message in refused(*command, "--data", f"mine{suffix}")


def test_arrays_of_another_order_and_range(
    run: Run, here: Path, command: tuple[object, ...]
) -> None:
    digits = load("sample", "test", 3)
    np.save(here / "mine.npy", np.moveaxis(np.rint(digits.as_float() * 255).astype(int), 1, -1))
    given = ("--data", "mine.npy", "--layout", "NHWC", "--white", 255)
    assert run(*command, *given).status == 0
    np.testing.assert_allclose(opened(here / "r.nc")["input"], digits.as_float()[:, 0], atol=1e-12)


def test_options_of_data_that_do_not_fit(
    refused: Refused, here: Path, command: tuple[object, ...]
) -> None:
    np.save(here / "mine.npy", GOOD * 255)
    np.savez(here / "mine.npz", images=GOOD)
    for options, message in (
        (("--data", "mine.npy", "--white", "many"), "'many' is no number"),
        (("--data", "mine.npy", "--layout", "NHCX"), "layout: unknown layout"),
        (("--data", "mine.npz", "--layout", "NHW"), "layout has no effect on data of this form"),
        (("--data", "mine.npy", "--sensor", "34,a"), "'a' is no whole number"),
        (("--data", "mine.npy", "--sensor", "34,34,2"), "sensor has no effect"),
    ):
        assert message in refused(*command, *options)


def test_files_that_hold_no_images(
    refused: Refused, here: Path, command: tuple[object, ...]
) -> None:
    np.savez(here / "other.npz", x=GOOD)
    np.save(here / "whole.npy", GOOD)
    (here / "cut.npy").write_bytes((here / "whole.npy").read_bytes()[:300])
    (here / "empty.npy").touch()
    (here / "folder").mkdir()
    (here / "notes.txt").touch()
    for name, message in (
        ("other.npz", "expected an array named images or x_test, signals or signals_test"),
        ("cut.npy", "cannot be read as NumPy arrays"),
        ("empty.npy", "cannot be read as NumPy arrays"),
        ("missing.npy", "missing.npy: there is no such file"),
        ("folder", "there are no images of the split test"),
        ("notes.txt", "the kind of file is unknown"),
    ):
        line = refused(*command, "--data", name)
        assert message in line
        assert name in line


def test_an_existing_result_is_kept_unless_overwritten(
    run: Run, refused: Refused, here: Path, command: tuple[object, ...]
) -> None:
    assert run(*command, "--limit", 2).status == 0
    assert refused(*command, "--limit", 1) == (
        "r.nc: the output exists already and was kept. Choose another path, or replace it with "
        "--overwrite (overwrite=True)"
    )
    assert run(*command, "--limit", 1, "--overwrite").status == 0
    assert opened(here / "r.nc").sizes["example"] == 1


@pytest.mark.parametrize("name", ["my.toml", "images.npy", "session.nwb"])
@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_file_that_is_no_result_is_kept(
    name: str, options: list[str], refused: Refused, here: Path, tiny_model: Path
) -> None:
    if name.endswith(".nwb"):
        with h5py.File(here / name, "w") as file:
            file.attrs["nwb_version"] = "2.7.0"
            file["acquisition"] = np.arange(10)
    else:
        (here / name).write_text("mine")
    content = (here / name).read_bytes()
    command = ("simulate", tiny_model, "--target", "numpy", "--out", name, "--limit", 1)
    line = refused(*command, *options)
    assert line.startswith(f"{name}: the output would replace a file that is no result, which was")
    assert (here / name).read_bytes() == content


def test_an_empty_or_damaged_result_is_replaced(
    run: Run, here: Path, command: tuple[object, ...]
) -> None:
    (here / "r.nc").touch()
    assert run(*command, "--limit", 1, "--overwrite").status == 0
    with (here / "r.nc").open("r+b") as file:
        file.seek(100)
        file.write(bytes(1000))
    assert run(*command, "--limit", 1, "--overwrite").status == 0
    assert opened(here / "r.nc").sizes["example"] == 1


def test_a_file_never_replaces_a_folder_or_a_special_file(
    refused: Refused, here: Path, tiny_model: Path
) -> None:
    (here / "folder").mkdir()
    (here / "folder" / "notes").write_text("mine")
    os.mkfifo(here / "pipe")
    for out, result in (("folder", "a folder"), (".", "a folder"), ("pipe", "a pipe")):
        command = ("simulate", tiny_model, "--out", out, "--overwrite", "--limit", 1)
        line = refused(*command, "--target", "numpy")
        assert "which was kept; expected a file" in line
        assert line.endswith(f"; found {result}. Choose another path")


@pytest.mark.parametrize("out", ["file/r.nc", "file/deep/r.nc", "/proc/r.nc", "/proc/deep/r.nc"])
def test_an_output_that_cannot_be_written(
    out: str, refused: Refused, here: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> None:
        raise AssertionError("work was done before the output was checked")

    monkeypatch.setattr("bioae.networks.artefact.load", work)
    (here / "file").write_text("mine")
    line = refused("simulate", tiny_model, "--out", out, "--limit", 1, "--target", "numpy")
    assert line.startswith(f"{out}: the output cannot be written; expected a folder in which you")


@pytest.mark.parametrize("target", ["cython", "cpp_standalone"])
def test_a_missing_compiler(
    *,
    target: str,
    run: Run,
    refused: Refused,
    here: Path,
    command: tuple[object, ...],
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing = here / "bin"
    nothing.mkdir()
    monkeypatch.setenv("PATH", str(nothing))
    line = refused("simulate", tiny_model, "--out", "r.nc", "--target", target)
    assert line.startswith(f"the target '{target}' needs g++")
    assert "apt install g++ make" in line
    assert "use --target numpy, which needs none" in line
    assert run(*command, "--limit", 1) == (0, "r.nc\n", "")


@pytest.mark.parametrize("message", ["there is no trained network", "Did you mean runs/model?"])
def test_not_a_trained_network(
    message: str, refused: Refused, here: Path, tiny_model: Path
) -> None:
    if "mean" in message:
        (here / "runs").mkdir()
        (here / "runs" / "model").symlink_to(tiny_model)
    assert message in refused("simulate", "runs", "--out", "r.nc", "--target", "numpy")
