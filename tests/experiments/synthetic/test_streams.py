"""Random numbers of the generators: with one seed, nothing draws the numbers of anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import dense, described
from numpy.random import Philox
from numpy.typing import NDArray

import bioae.random
from bioae.datasets import Data
from bioae.networks import Network
from experiments import synthetic
from experiments.baselines import BaselineConfig
from experiments.baselines.stored import conventional_module

SEED, COUNT = 5, 1200
LAYERS = (dense("hidden", 60), dense("output", 20))
NETWORK: dict[str, Any] = {
    "input_shape": [20], "steps": 5, "encoder": {"kind": "frames", "every": 5},
    "decoder": {"kind": "mean"}, "task": {"kind": "regression", "outputs": 20},
}  # fmt: skip
PICTURES = Data.of_images(np.arange(1600.0).reshape(1, 40, 40) / 1600, labels=[0], name="drawn")


def network() -> NDArray[np.float64]:
    weights = Network.initialise(described(*LAYERS, **NETWORK), seed=SEED).weights
    return np.asarray(weights["hidden.weight"])


def baseline(kind: str) -> NDArray[np.float64]:
    layers = LAYERS if kind == "feedforward" else (dense("hidden", 60, recurrent=True), LAYERS[1])
    config = BaselineConfig.from_mapping({
        "baseline": {"kind": kind},
        "network": NETWORK | {"layers": list(layers)},
        "training": {"seed": SEED, "dtype": "float64"},
    })  # fmt: skip
    return conventional_module(config).arrays["hidden.weight"].detach().numpy()


def landscape() -> NDArray[np.float64]:
    made = synthetic.nk_landscape(30, 4, seed=SEED)
    return np.concatenate([made.tables.ravel()[:600], made.sample(20).as_float().ravel()])


#: Numbers from a split.
DRAWS: dict[str, Callable[[Any], Any]] = {
    "elasticity": lambda split: synthetic.elasticity(COUNT, 1, seed=SEED, split=split).values,
    "formant_sweeps": lambda split: (
        synthetic.formant_sweeps(9, seed=SEED, split=split, background=0.4).values
    ),
    "genz": lambda split: synthetic.genz(COUNT // 4, inputs=4, seed=SEED, split=split).values,
    "ordered_segments": lambda split: synthetic.ordered_segments(9, seed=SEED, split=split).values,
    "plasticity": lambda split: synthetic.plasticity(COUNT, 2, seed=SEED, split=split).values[:, 0],
    "ramberg_osgood": lambda split: synthetic.ramberg_osgood(
        COUNT, 2, seed=SEED, split=split
    ).values[:, 1],
    "ring_fields": lambda split: synthetic.ring_fields(COUNT // 40, seed=SEED, split=split).values,
    "store_recall": lambda split: (
        synthetic.store_recall(COUNT, seed=SEED, split=split, delay=5, steps=20, cue=2).labels
    ),
}
#: Initial weights may share their numbers, since one network is trained at a time.
WEIGHTS = {"network", "feedforward", "recurrent"}
#: As `DRAWS`, of what has no splits.
OTHERS: dict[str, Callable[[], Any]] = {
    "network": network,
    "feedforward": lambda: baseline("feedforward"),
    "recurrent": lambda: baseline("recurrent"),
    "flip_labels": lambda: synthetic.flip_labels(
        Data.of_images(np.zeros((COUNT, 1, 1, 1)), labels=np.zeros(COUNT, int), name=""),
        0.5, classes=9, seed=SEED,
    ).labels,
    "nk_landscape": landscape,
    "permuted_rows": lambda: synthetic.permuted_rows(PICTURES, seed=SEED).values,
}  # fmt: skip


def test_every_stream_has_one_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[tuple[int, int]] = []

    def recorded(*, key: NDArray[np.uint64], counter: NDArray[np.uint64]) -> Philox:
        assert key[0] == SEED
        keys.append((int(key[1]), int(counter[3])))
        return Philox(key=key, counter=counter)

    monkeypatch.setattr(bioae.random, "Philox", recorded)
    owners: dict[tuple[int, int], str] = {}
    for name, draw in {**DRAWS, **OTHERS}.items():
        splits: list[tuple[str, ...]] = [("train",), ("test",)] if name in DRAWS else [()]
        drawn = []
        for split in splits:
            keys.clear()
            draw(*split)
            assert len(keys) == len(set(keys)) > 0, f"{name} reads a stream twice"
            drawn.append(set(keys))
        if name in DRAWS:  # both splits share a function or spectra, and nothing else
            assert len(set.intersection(*drawn)) == (name in ("genz", "ordered_segments")), name
        for key in set.union(*drawn):
            purpose = "weights" if name in WEIGHTS else name
            assert owners.setdefault(key, purpose) == purpose


@pytest.mark.parametrize("name", DRAWS)
def test_equal_seeds_give_equal_numbers_and_splits_differ(name: str) -> None:
    train, again, test = (np.asarray(DRAWS[name](each)) for each in ("train", "train", "test"))
    np.testing.assert_array_equal(train, again)
    assert (train != test).mean() > 0.3
