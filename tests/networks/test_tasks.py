"""Tasks and decoders: sizes, targets, worked examples, and the same bits in NumPy and PyTorch."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from builders import dense, described
from scipy.special import softmax

from bioae.datasets import Data
from bioae.networks import Network, NetworkConfig, artefact
from bioae.networks.decoders import (
    CountDecoder,
    FirstSpikeDecoder,
    LastDecoder,
    MaxDecoder,
    MeanDecoder,
    PopulationDecoder,
    SummedSoftmaxDecoder,
    TrajectoryDecoder,
)
from bioae.networks.tasks import (
    Classification,
    LossName,
    Reconstruction,
    Regression,
    Representation,
    ScoreName,
    Sequence,
)
from bioae.random import stream

TASKS = (Reconstruction, Classification, Regression, Sequence, Representation)
CLASSES = {"kind": "classification", "classes": 3}
NUMBERS = {"kind": "regression", "outputs": 3}


def network(units: int = 3, **fields: Any) -> NetworkConfig:
    return described(dense("last", units), input_shape=[1, 2, 2], steps=5, **fields)


def examples(labels: Any = None, targets: Any = None) -> Data:
    pixels = np.zeros((2, 1, 2, 2))
    return Data.of_images(pixels, labels=labels, name="zeros", split="test", targets=targets)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({"task": CLASSES}, (3,)),
        ({"task": NUMBERS}, (3,)),
        ({"task": {"kind": "sequence", "outputs": 3}, "decoder": {"kind": "trajectory"}}, (5, 3)),
        ({"units": 4}, (1, 2, 2)),
        ({"task": {"kind": "representation", "outputs": 3}}, (3,)),
        ({"units": 6, "task": CLASSES, "decoder": {"kind": "population", "neurons": 2}}, (3,)),
    ],
)
def test_shapes_of_outputs(fields: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert network(**fields).output_shape == shape


def test_the_scale_of_an_auto_encoder_alone_follows_the_encoder() -> None:
    encoder = {"kind": "bernoulli", "rate": 0.4}
    assert network(4, encoder=encoder).default_scale == pytest.approx(0.4 * 5)
    assert network(task=NUMBERS, encoder=encoder).default_scale == 1.0


@pytest.mark.parametrize(
    ("decoder", "scale"),
    [
        ({"kind": "summed_softmax"}, 3.0),
        ({"kind": "first_spike", "scale": 2.0}, 6.0),
        ({"kind": "count"}, 1.0),
        ({"kind": "mean", "scale": 2.0}, 2.0),
    ],
)
def test_sums_stay_the_same_in_finer_steps(decoder: dict[str, Any], scale: float) -> None:
    finer = Network.initialise(network(task=NUMBERS, decoder=decoder)).in_finer_steps(3).config
    assert finer.steps == 15
    assert (finer.decoder.scale or finer.default_scale) == scale


def test_the_decaying_mean_is_a_weighted_mean() -> None:
    potential = np.random.default_rng(0).normal(size=(10, 2, 3))
    expected = np.average(potential, axis=0, weights=np.exp(-np.arange(10) / (0.4 * 10)))
    found = MeanDecoder(decay=0.4).decode(potential, default_scale=2.0)
    np.testing.assert_allclose(2 * found, expected, rtol=1e-13)
    constant = MeanDecoder(decay=100.0).decode(np.ones((10**4, 1)), default_scale=1.0)
    np.testing.assert_allclose(constant, 1, rtol=1e-10)


def test_an_artefact_holds_the_task(tmp_path: Any) -> None:
    for task in (CLASSES, NUMBERS):
        before = Network.initialise(network(task=task))
        artefact.save(before, tmp_path / "model", overwrite=True)
        after = artefact.load(tmp_path / "model").network
        assert (after.config.to_mapping()["task"], after.sha256) == (task, before.sha256)
    assert "task" not in network(4).to_mapping()  # as in descriptions older than tasks


def test_targets() -> None:
    labels, values, traces = np.array([2, 0]), np.ones((2, 3)), np.ones((2, 5, 3))
    known = examples(labels, values)
    assert Reconstruction().target_of(known, 5).shape == (2, 1, 2, 2)
    assert Classification(classes=3).target_of(known, 5) is known.labels
    assert Regression(outputs=3).target_of(known, 5) is known.targets
    in_time = examples(None, traces)
    assert Sequence(outputs=3).target_of(in_time, 5) is in_time.targets


def test_names_of_losses_and_scores_are_used() -> None:
    assert {name for task in TASKS for name in task.losses} == set(get_args(LossName))
    assert {name for task in TASKS for name in task.scores} == set(get_args(ScoreName))
    assert all(set(task.scores.values()) <= {"lower", "higher"} for task in TASKS)


SIMPLE = [MaxDecoder(), LastDecoder(), MeanDecoder(), CountDecoder(), FirstSpikeDecoder()]
GROUPED = [PopulationDecoder(neurons=7), PopulationDecoder(neurons=9, of="spikes")]
ACTIVITY = np.array([[1.0, -2.0], [4.0, -1.0], [1.0, -3.0]])
#: (time, example, neuron): early and twice, late, never; then in the first step, in the last.
SPIKES = np.array(
    [
        [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]],
        [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    ]
)


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        (MaxDecoder(), [4.0, -1.0]),
        (LastDecoder(), [1.0, -3.0]),
        (MeanDecoder(), [2.0, -2.0]),
        (CountDecoder(), [6.0, -6.0]),
    ],
)
def test_worked_examples(decoder: Any, expected: list[float]) -> None:
    assert decoder.decode(ACTIVITY, default_scale=1.0).tolist() == expected
    assert decoder.decode(ACTIVITY, default_scale=2.0).tolist() == [x / 2 for x in expected]
    scaled = type(decoder)(scale=4.0)
    assert scaled.decode(ACTIVITY, default_scale=2.0).tolist() == [x / 4 for x in expected]


def test_first_spike() -> None:
    decoded = FirstSpikeDecoder().decode(SPIKES, default_scale=1.0)
    assert decoded.tolist() == [[2.0, 1.0, 0.0], [3.0, 0.0, 1.0]]
    assert FirstSpikeDecoder(scale=2.0).decode(SPIKES, default_scale=1.0)[0].tolist() == [1, 0.5, 0]


def test_population_means() -> None:
    activity = np.arange(24.0).reshape(3, 2, 4)  # U = 8 t + 4 example + neuron
    means = PopulationDecoder(neurons=2).decode(activity, default_scale=1.0)
    assert means.tolist() == [[8.5, 10.5], [12.5, 14.5]]
    counts = PopulationDecoder(neurons=3, of="spikes").decode(SPIKES, default_scale=1.0)
    assert counts.tolist() == [[1.0], [pytest.approx(2 / 3)]]
    # As an image: groups follow the order (channel, y, x).
    image = activity.reshape(3, 2, 1, 2, 2)
    assert (PopulationDecoder(neurons=2).decode(image, default_scale=1.0) == means).all()


def test_summed_softmax_is_that_of_scipy() -> None:
    activity = stream(0, 0).normal(0, 30, size=(8, 3, 5))
    decoded = SummedSoftmaxDecoder().decode(activity, default_scale=1.0)
    np.testing.assert_allclose(decoded, softmax(activity, axis=-1).sum(0), rtol=1e-12)
    np.testing.assert_allclose(decoded.sum(1), 8.0)
    image = SummedSoftmaxDecoder().decode(activity.reshape(8, 3, 5, 1, 1), default_scale=1.0)
    assert (image.reshape(3, 5) == decoded).all()
    huge = SummedSoftmaxDecoder().decode(np.array([[[1e4, -1e4]]]), default_scale=1.0)
    assert huge.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("decoder", [*SIMPLE, *GROUPED], ids=lambda decoder: decoder.kind)
@pytest.mark.parametrize("steps", [1, 25])
def test_numpy_and_torch_give_the_same_bits(decoder: Any, steps: int) -> None:
    activity = stream(steps, 0).normal(size=(steps, 5, 1, 9, 7))
    if not decoder.reads_potential:
        activity = (activity > 0).astype(np.float64)
    array = decoder.decode(activity, default_scale=0.2 * steps)
    tensor = decoder.decode(torch.from_numpy(activity), default_scale=0.2 * steps)
    expected = (5, decoder.outputs(63)) if decoder in GROUPED else (5, 1, 9, 7)
    assert array.shape == tensor.shape == expected
    assert array.any()
    assert (array == tensor.numpy()).all()


def test_gradient_of_the_first_spike() -> None:
    """It is what moving a spike would change: exact differences, because it is multilinear."""
    spikes = torch.from_numpy(SPIKES).requires_grad_()
    decoder = FirstSpikeDecoder()
    decoder.decode(spikes, default_scale=1.0).sum().backward()  # type: ignore[no-untyped-call]
    assert spikes.grad is not None
    for place in np.ndindex(*SPIKES.shape):
        with_it, without = SPIKES.copy(), SPIKES.copy()
        with_it[place], without[place] = 1.0, 0.0
        change = decoder.decode(with_it, default_scale=1.0).sum()
        change -= decoder.decode(without, default_scale=1.0).sum()
        assert spikes.grad[place].item() == change


@pytest.mark.parametrize(
    "decoder",
    [*SIMPLE[:4], SummedSoftmaxDecoder(), TrajectoryDecoder(), PopulationDecoder(neurons=2)],
    ids=lambda decoder: decoder.kind,
)
def test_gradients_against_finite_differences(decoder: Any) -> None:
    activity = torch.from_numpy(stream(2, 0).normal(size=(4, 2, 6))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: decoder.decode(x, default_scale=2.0), activity)
