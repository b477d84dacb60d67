"""Outputs of tasks: files in pieces, labels, targets, and the memory of decoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from builders import dense, drawn
from network_cases import OF_TASKS, OUTPUTS, decoding, examples
from refusals import refused

from bioae import simulate, simulate_to
from bioae.datasets import Data
from bioae.errors import DataError
from bioae.simulation import write_result
from bioae.simulation.backend import Backend
from bioae.simulation.workers.job import chunk_size


@pytest.mark.medium
@pytest.mark.parametrize("decoder", ["trajectory", "first_spike"])
def test_files_do_not_depend_on_chunks(decoder: str, tmp_path: Path) -> None:
    net, images = decoding(decoder), examples(decoder)
    simulate_to(tmp_path / "parts.nc", net, images, Backend("numpy", chunk=2))
    write_result(simulate(net, images, "numpy"), tmp_path / "whole.nc")
    assert (tmp_path / "whole.nc").read_bytes() == (tmp_path / "parts.nc").read_bytes()


def test_float32() -> None:
    net, images = decoding("trajectory"), examples("trajectory")
    single = simulate(net, images, Backend("numpy", "float32"))
    assert single["output"].dtype == np.float64
    expected = simulate(net, images, "torch")["output"]
    np.testing.assert_allclose(single["output"], expected, rtol=1e-5, atol=1e-5)


def test_the_memory_of_a_chunk_counts_the_recorded_potential() -> None:
    sizes = {name: chunk_size(decoding(name).config, ()) for name in OF_TASKS}
    assert sizes["trajectory"] < sizes["count"]
    assert sizes["summed_softmax"] < sizes["max"] <= sizes["count"]


def test_examples_without_targets() -> None:
    net, images = decoding("max"), examples("max").as_float()
    result = simulate(net, images, "numpy")
    assert "target" not in result
    assert result["output"].shape == (5, OUTPUTS)


def test_labels_of_a_classifier() -> None:
    task = {"kind": "classification", "classes": OUTPUTS}
    net = drawn(dense("last", OUTPUTS, gain=4.0), input_shape=[1, 4, 4], steps=4, task=task)
    pixels = examples("max").values
    known = Data.of_images(pixels, labels=np.array([0, 2, 1, 1, 0]), name="noise", split="test")
    result = simulate(net, known, "numpy")
    assert result["label"].to_numpy().tolist() == [0, 2, 1, 1, 0]
    assert "target" not in result
    foreign = Data.of_images(pixels, labels=np.array([0, 3, 1, 1, 0]), name="noise", split="test")
    for target in ("torch", "numpy"):
        with refused(DataError, where="labels", found="0 to 3"):
            simulate(net, foreign, target)


def test_targets_that_do_not_fit_are_refused() -> None:
    wrong = examples("trajectory")
    with refused(DataError, "(3,)", "(8, 3)"):
        simulate(decoding("max"), wrong, "numpy")
