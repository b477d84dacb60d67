"""Artificial neural variability: the noise, its equivalence to the increments, and resuming."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import torch
from builders import dense, pictures, write_arrays
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bioae.runs import Report
from bioae.runs import checkpoint as checkpoints
from bioae.runs.folder import CHECKPOINT
from bioae.runs.run import run
from bioae.runs.splits import encoder_seed, example_order
from bioae.trainers.training.averaging import in_place_of
from bioae.trainers.training.descent import evaluate
from bioae.trainers.training.tables import VariabilityConfig
from bioae.trainers.training.trainer import GradientTrainer
from bioae.trainers.training.variability import noise, varied
from experiments.baselines import BaselineConfig
from experiments.baselines.training import assemble_baseline

NOISE: dict[str, Any] = {"scale": 0.3}
#: Standard deviation relative to the scale, and the mean of the fourth power to the variance's
#: square.
MOMENTS = {"normal": (1.0, 3.0), "laplace": (math.sqrt(2), 6.0), "uniform": (3**-0.5, 1.8)}
LAYERS = [dense("latent", 5), dense("output", shape=[1, 6, 6])]


def drawn(
    epoch: int = 0, batch: int = 0, name: str = "hidden.weight", seed: int = 3, **keys: Any
) -> NDArray[np.float64]:
    config = VariabilityConfig(**NOISE | keys)
    return noise(config, (400, 500), seed=seed, epoch=epoch, batch=batch, name=name)


@pytest.mark.parametrize("distribution", MOMENTS)
def test_the_noise_has_the_moments_of_its_distribution(distribution: Any) -> None:
    values = drawn(distribution=distribution)
    deviation, kurtosis = MOMENTS[distribution]
    count, scale = values.size, NOISE["scale"]
    assert abs(values.mean()) < 5 * deviation * scale / math.sqrt(count)
    assert values.std() == pytest.approx(deviation * scale, rel=0.02)
    assert (values**4).mean() / values.var() ** 2 == pytest.approx(kurtosis, rel=0.05)
    if distribution == "uniform":
        assert np.abs(values).max() <= scale


def test_every_update_and_array_has_its_own_noise() -> None:
    keys = [(0, 0, "a.weight", 3), (1, 0, "a.weight", 3), (0, 1, "a.weight", 3),
            (0, 0, "b.weight", 3), (0, 0, "a.weight", 4), (11, 1, "a.weight", 3),
            (1, 11, "a.weight", 3)]  # fmt: skip
    all_noise = [drawn(*key) for key in keys]
    for one, other in itertools.combinations(all_noise, 2):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.015
    assert np.array_equal(all_noise[0], drawn(*keys[0]))


@settings(max_examples=30, deadline=None)
@given(
    updates=st.integers(1, 12), scale=st.floats(1e-3, 10), distribution=st.sampled_from([*MOMENTS]),
    seed=st.integers(0, 2**63 - 1),
)  # fmt: skip
def test_increments_telescope(updates: int, scale: float, distribution: Any, seed: int) -> None:
    """Noise that is put in and taken out leaves the weights; the sum of increments is the last."""
    config = VariabilityConfig(scale=scale, distribution=distribution)
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3))
    before = weight.detach().clone()
    previous = total = np.zeros((2, 3))
    for batch in range(updates):
        place: dict[str, Any] = {"seed": seed, "epoch": 0, "batch": batch}
        now = noise(config, (2, 3), **place, name="a.weight")
        with in_place_of(*varied({"a.weight": weight}, config, **place)):
            np.testing.assert_allclose((weight - before).detach(), now, atol=1e-13 * (1 + scale))
        total, previous = total + (now - previous), now
        assert torch.equal(weight, before)
    np.testing.assert_allclose(total, previous, atol=1e-12 * scale * updates)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """26 images, 6 of which are held out."""
    folder = tmp_path_factory.mktemp("data")
    return write_arrays(folder / "images.npz", images=pictures(26, 1, 6, 6))


def conventional(data: Path, **training: Any) -> dict[str, Any]:
    """Return an auto-encoder in float64: batches of 6, the last smaller."""
    common = {
        "epochs": 2, "batch_size": 6, "threads": 1, "dtype": "float64", "select": "last",
        "learning_rate": 1e-2, "seed": 5, "checkpoint_seconds": 0,
    }  # fmt: skip
    return {
        "baseline": "autoencoder",
        "network": {"input_shape": [1, 6, 6], "latent": "latent", "layers": LAYERS},
        "training": common | training,
        "data": {"name": str(data), "validation": 6},
    }


@pytest.mark.parametrize(
    ("distribution", "accumulate"),
    [
        ("normal", False),
        ("laplace", True),
        pytest.param("uniform", False, marks=pytest.mark.slow),
        pytest.param("normal", True, marks=pytest.mark.slow),
    ],
)
def test_training_equals_a_loop_that_adds_increments(
    data: Path, tmp_path: Path, distribution: str, accumulate: bool
) -> None:
    """The published form: e(t) - e(t-1) after each update, and - e(t) at the end of an epoch."""
    table = {"scale": 0.05, "distribution": distribution, "accumulate": accumulate}
    config = BaselineConfig.from_mapping(conventional(data, variability=table))
    problem = assemble_baseline(config)
    (stage,), seed = problem.stages, config.training.seed
    varied = {name: problem.weights[name] for name in problem.synaptic}
    assert varied
    assert set(varied) < set(problem.weights)  # there are biases
    optimiser = torch.optim.Adam(list(problem.weights.values()), lr=1e-2)

    def add(epoch: int, batch: int, sign: int) -> None:
        table = config.training.variability
        assert table is not None
        for name, weight in varied.items():
            place: dict[str, Any] = {"seed": seed, "epoch": epoch, "batch": batch, "name": name}
            weight.data.add_(torch.from_numpy(noise(table, weight.shape, **place)), alpha=sign)

    for epoch in range(2):
        order = example_order(seed, epoch + 1, len(problem.data.train))
        batches = math.ceil(len(order) / 6)
        for number in range(batches):
            if not accumulate:
                add(epoch, number, 1)
                if number:
                    add(epoch, number - 1, -1)
            chosen = problem.data.train[order[6 * number : 6 * number + 6]]
            batch = problem.batch(chosen, encoder_seed(seed, epoch + 1))
            optimiser.zero_grad()
            problem.terms(batch, stage, 0.0)["loss"].backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(problem.weights.values(), 1.0)
            optimiser.step()
            if accumulate:
                add(epoch, number, 1)
        if not accumulate:
            add(epoch, batches - 1, -1)
    trained = assemble_baseline(config)
    run(lambda _: GradientTrainer(trained), tmp_path)
    for name, weight in problem.weights.items():
        torch.testing.assert_close(trained.weights[name], weight, rtol=1e-9, atol=1e-10)


def test_evaluation_and_checkpoints_see_clean_weights(tmp_path: Path) -> None:
    config = small_run.config(variability=NOISE, select="last", epochs=2)
    seen: dict[str, torch.Tensor] = {}
    problem = small_run.problem(config)

    def remember(report: Report) -> None:
        seen.update({n: w.detach().clone() for n, w in problem.mirror.weights.items()})

    history = small_run.fit(problem, tmp_path, progress=remember).records
    _, arrays = checkpoints.load(tmp_path / CHECKPOINT)
    stored = {name: torch.tensor(array) for name, array in arrays.items()}
    for name, weight in seen.items():
        assert torch.equal(stored[f"weight/{name}"], weight)
    again = small_run.problem(config)
    with torch.no_grad():
        for name, weight in again.mirror.weights.items():
            weight.copy_(stored[f"weight/{name}"])
    score = "validation_sum_squared_error"
    assert evaluate(again)[score] == history[-1][score]


@pytest.mark.parametrize("accumulate", [False, True])
def test_frozen_and_other_layers_have_no_noise(tmp_path: Path, accumulate: bool) -> None:
    """Nor have biases and neuron parameters; accumulated noise moves only what is trained."""
    config = small_run.config(
        variability=NOISE | {"accumulate": accumulate}, frozen=["hidden.weight"], epochs=1
    )
    problem = small_run.problem(config)
    before = {n: w.detach().clone() for n, w in problem.mirror.weights.items()}
    problem.stages[0].let_train(GradientTrainer(problem).weights, problem.parameters)
    variability = config.training.variability
    assert variability is not None
    with in_place_of(*varied(problem.connections, variability, seed=0, epoch=0, batch=0)):
        moved = {n for n, w in problem.mirror.weights.items() if not torch.equal(w, before[n])}
        assert moved == {"output.weight"}
    small_run.fit(problem, tmp_path)
    assert torch.equal(problem.mirror.weights["hidden.weight"], before["hidden.weight"])
    assert not torch.equal(problem.mirror.weights["output.weight"], before["output.weight"])


def test_nothing_varies_where_there_is_no_connection() -> None:
    weight = torch.nn.Parameter(torch.zeros(5, 5, dtype=torch.float64))
    settings = VariabilityConfig(scale=0.5)
    absent = {"a.recurrent": torch.eye(5, dtype=torch.bool)}
    place: dict[str, Any] = {"seed": 3, "epoch": 0, "batch": 0}
    _, (value,) = varied({"a.recurrent": weight}, settings, absent=absent, **place)
    assert not value.diagonal().any()
    assert (value != 0).sum() == 20
