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

from bioae import simulate, write_result
from bioae.analysis import from_monitors
from bioae.cli.changes import print_change
from bioae.datasets import load
from bioae.networks import Network
from bioae.networks.artefact import load as load_network
from bioae.simulation.backend import Backend

Run = Callable[..., Any]
Refused = Callable[..., str]
Words = tuple[object, ...]


def opened(path: Path) -> xr.DataTree:
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return tree.load()


@pytest.fixture
def command(tiny_model: Path) -> Words:
    return ("simulate", tiny_model, "--out", "r.nc", "--target", "numpy")


@pytest.mark.medium
def test_the_result_is_that_of_the_library(
    run: Run, here: Path, command: Words, tiny_network: Network
) -> None:
    options = ("--examples", "17, 3", "--seed", 5, "--record", "v,v", "--dtype", "float64")
    assert run(*command, *options) == (0, "r.nc\n", "")
    images = load("sample", "test")[[17, 3]]
    expected = simulate(tiny_network, images, Backend("numpy", record=["v"]), seed=5)
    result = opened(here / "r.nc")
    assert int(expected["/layers/output/spike_count"].sum()) > 100
    assert expected.identical(result)


@pytest.mark.medium
def test_another_neuron_and_its_effects(
    run: Run, here: Path, command: Words, tiny_network: Network
) -> None:
    options = ("--limit", 4, "--neuron", "lif_refractory")
    done = run(*command, *options, "--compare")
    assert (done.status, done.err) == (0, "")
    first, weights, errors, *table = done.out.splitlines()
    assert (first, table[0].strip()) == ("r.nc", "Firing before and after")
    factor = float(weights.split(" times ")[1].split(",")[0])
    assert weights == f"Weights of lif_refractory: times {factor:.3g}, so that f-I curves match"
    assert errors.startswith("Squared error per image: ")
    assert " mean training image, " in errors
    assert max(map(len, table)) <= 80
    assert table[2].split() == ["layer", "Hz", "dead", "bursting"]
    rows = [line.split() for line in table[3:] if " after " in line]
    result = opened(here / "r.nc")
    assert result.attrs["network_sha256"] == tiny_network.with_neuron("lif_refractory").sha256
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


def test_bursting_is_left_out_where_no_neuron_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_result(from_monitors([[0.001, 0.004]], duration=0.01), tmp_path / "r.nc")
    print_change(dict.fromkeys(("before", "after"), tmp_path / "r.nc"), None)
    printed = capsys.readouterr().out
    assert "here 5,000 Hz" in printed
    assert "bursting  " not in printed


@pytest.mark.medium
def test_an_adapted_network_is_simulated_and_stored(run: Run, here: Path, command: Words) -> None:
    options = ("--limit", 4, "--neuron", "cuba", "--adapt", 40, "--compare")
    done = run(*command, *options)
    assert done.status == 0, done
    first, _, adapted, errors, *table = done.out.splitlines()
    assert (first, adapted) == ("r.nc", "Adapted on 40 presentations: r.adapted/model")
    names = [part.split(" (")[0].split()[1:] for part in errors.partition(": ")[2].split(", ")]
    assert names == [["mean", "training", "image"], ["before"], ["after"], ["adapted"]]
    assert table[0].strip() == "Firing before, after and adapted"
    assert [line.split()[1:2] for line in table if "latent" in line] == names[1:]
    stored = load_network(here / "r.adapted" / "model").network
    assert opened(here / "r.nc").attrs["network_sha256"] == stored.sha256
    assert run(*command, *options).status != 0
    assert run(*command, *options, "--overwrite").out == done.out
    (here / "r.nc").unlink()
    assert run(*command, *options, "--resume").out == done.out


@pytest.mark.medium
def test_a_parameter_of_a_layer_prevails_over_that_of_all_layers(
    run: Run, here: Path, command: Words, tiny_network: Network
) -> None:
    everywhere, latent = ("--parameter", "tau=5*ms"), ("--parameter", "latent.tau=20*ms")
    expected = tiny_network.with_parameters({"tau": "5*ms"})
    expected = expected.with_parameters({"tau": "20*ms"}, layers=["latent"])
    for options in ((*everywhere, *latent), (*latent, *everywhere)):
        assert run(*command, "--limit", 1, "--overwrite", *options).status == 0
        assert opened(here / "r.nc").attrs["network_sha256"] == expected.sha256


@pytest.mark.medium
def test_a_neuron_that_needs_finer_steps(
    run: Run, here: Path, command: Words, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    text = (
        'description = "fine"\nequations = "dv/dt = -v/tau : 1"\nthreshold = "v > 1"\n'
        'reset = "v = 0"\ninput = "v"\ndt = "0.5*ms"\n[parameters]\ntau = "20*ms"\n'
    )
    (here / "fine.toml").write_text(text)
    done = run(*command, "--limit", 2, "--neuron", "fine.toml", "--dt", "1*ms")
    assert "dt 0.5 ms, 10 steps in place of 1 ms, 5, as fine asks" in caplog.text
    assert done.status == 0
    attributes = opened(here / "r.nc").attrs
    assert (attributes["steps"], attributes["dt_ms"]) == (10, 0.5)


@pytest.mark.medium
def test_spread_background_and_delay(
    run: Run, here: Path, command: Words, tiny_network: Network
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


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        (("--repeats", 0), "--repeats"),
        (("--calibrate", "psp"), "--calibrate"),
        (("--own-parameters",), "--own-parameters"),
        (("--calibrate", "area"), 'Choose from: "rate", "psp", "none".'),
        (("--spread", "tau"), "--spread"),
        (("--spread", "tau=0.1", "tau = 0.2"), "'tau'"),
        (("--background", "much"), "--background"),
        (("--background=-1",), "--background"),
        (("--delay", "2ms"), "--delay"),
        (("--compare",), "--compare"),
        (("--adapt", 5), "--adapt"),
        (("--neuron", "leaky_readout"), "'leaky_readout'"),
        (("--limit", 0), "--limit"),
        (("--limit", "1.5"), "'1.5'"),
        (("--limit", 501), "sample"),
        (("--examples", "3,,4"), "''"),
        (("--examples", "3", "--limit", 2), "limit"),
        (("--steps", 0), "--steps"),
        (("--dt", "1*mV"), "--dt"),
        (("--record", "v,,v"), "--record"),
        (("--record", "u"), "expected one of v"),
        (("--workers", 0), "--workers"),
        (("--seed", 2**64), "18446744073709551615"),
        (("--split", "valid"), 'Choose from: "train", "test".'),
        (("--dtype", "float16"), 'Did you mean "float64"?'),
        (("--targt", "numpy"), "Did you mean --target?"),
        (("--data", "mnits"), "sample, mnist, fashion-mnist"),
        (("more",), "'more'"),
        *((("--data", *words), quoted) for *words, quoted in (
            ("mine.npy", "--white", "many", '"many"'), ("mine.npy", "--layout", "NHCX", "layout"),
            ("mine.npz", "--layout", "NHW", "layout"), ("mine.npy", "--sensor", "34,a", "'a'"),
            ("mine.npy", "--sensor", "34,34,2", "sensor"), ("other.npz", "other.npz"),
            ("cut.npy", "cut.npy"), ("missing.npy", "missing.npy"), ("folder", "folder"),
            ("notes.txt", "notes.txt"),
        )),
    ],
    ids=str,
)  # fmt: skip
def test_options_that_do_not_fit(
    options: Words, quoted: str, refused: Refused, here: Path, command: Words
) -> None:
    good = np.full((3, 28, 28), 0.5)
    np.save(here / "mine.npy", good * 255)
    np.savez(here / "mine.npz", images=good)
    np.savez(here / "other.npz", x=good)
    (here / "cut.npy").write_bytes((here / "mine.npy").read_bytes()[:300])
    (here / "folder").mkdir()
    (here / "notes.txt").touch()
    assert quoted in refused(*command, *options)


@pytest.mark.medium
def test_arrays_of_another_order_and_range(run: Run, here: Path, command: Words) -> None:
    digits = load("sample", "test", 3)
    np.save(here / "mine.npy", np.moveaxis(np.rint(digits.as_float() * 255).astype(int), 1, -1))
    given = ("--data", "mine.npy", "--layout", "NHWC", "--white", 255)
    assert run(*command, *given).status == 0
    np.testing.assert_allclose(opened(here / "r.nc")["input"], digits.as_float()[:, 0], atol=1e-12)


@pytest.mark.medium
def test_an_existing_result_is_kept_unless_overwritten(
    run: Run, refused: Refused, here: Path, command: Words
) -> None:
    assert run(*command, "--limit", 2).status == 0
    line = refused(*command, "--limit", 1)
    assert line.startswith("r.nc: ")
    assert "--overwrite" in line
    (here / "r.nc").write_bytes(b"")  # an empty or damaged result is replaced, too
    assert run(*command, "--limit", 1, "--overwrite").status == 0
    with (here / "r.nc").open("r+b") as file:
        file.seek(100)
        file.write(bytes(1000))
    assert run(*command, "--limit", 1, "--overwrite").status == 0
    assert opened(here / "r.nc").sizes["example"] == 1


def test_files_that_are_no_results_are_kept(refused: Refused, here: Path, command: Words) -> None:
    (here / "my.toml").write_text("mine")
    with h5py.File(here / "r.nc", "w") as file:
        file["acquisition"] = [1.0]
    for options in ((), ("--resume",), ("--overwrite",)):
        assert refused(*command, *options).startswith("r.nc: ")
        other = (*command[:2], "--out", "my.toml", "--target", "numpy")
        assert refused(*other, *options).startswith("my.toml: ")


@pytest.mark.parametrize("out", ["folder", ".", "pipe", "file/r.nc", "/proc/deep/r.nc"])
def test_an_output_that_cannot_be_written(
    out: str, refused: Refused, here: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> None:
        raise AssertionError("work was done before the output was checked")

    monkeypatch.setattr("bioae.networks.artefact.load", work)
    (here / "folder").mkdir()
    (here / "folder" / "notes").write_text("mine")
    (here / "file").write_text("mine")
    os.mkfifo(here / "pipe")
    options = ("--overwrite", "--limit", 1, "--target", "numpy")
    assert refused("simulate", tiny_model, "--out", out, *options).startswith(f"{out}: ")


@pytest.mark.parametrize("target", ["cython", "cpp_standalone"])
def test_a_missing_compiler(
    target: str, refused: Refused, here: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = here / "bin"
    nothing.mkdir()
    monkeypatch.setenv("PATH", str(nothing))
    line = refused("simulate", tiny_model, "--out", "r.nc", "--target", target)
    assert f"'{target}'" in line
    assert "apt install g++ make" in line
    assert "--target numpy" in line


def test_not_a_trained_network(refused: Refused, here: Path, tiny_model: Path) -> None:
    command = ("simulate", "runs", "--out", "r.nc", "--target", "numpy")
    assert refused(*command).startswith("runs: ")
    (here / "runs").mkdir()
    (here / "runs" / "model").symlink_to(tiny_model)
    assert refused(*command).endswith("Did you mean runs/model?")
