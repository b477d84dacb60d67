"""Stored figures of benchmarks, and the networks of other libraries."""

from __future__ import annotations

import importlib
import importlib.util
from functools import partial
from pathlib import Path

import pytest
import torch
from mirrors import mirror_of

from benchmarks.interleaved import interleaved
from benchmarks.peers import PEERS, build
from benchmarks.peers.common import SLOPE
from benchmarks.recurrent import OURS, UNCOMPILED, Sizes, layers, training
from benchmarks.starting import first_result_seconds
from bioae.datasets import load
from bioae.networks import Network, NetworkConfig
from bioae.simulation.presentations import Presentations
from bioae.trainers import derivative

BENCHMARKS = sorted(
    path.stem
    for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py")
    if "if __name__ ==" in path.read_text(encoding="utf-8")
)


def test_every_round_times_all_and_every_second_one_is_reversed() -> None:
    order: list[str] = []
    works = {name: partial(order.append, name) for name in "ab"}
    ticks = iter(range(100))
    times = interleaved(works, runs=3, clock=lambda: float(next(ticks)))
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert times == {"a": [1.0] * 3, "b": [1.0] * 3}


@pytest.mark.slow
def test_time_to_the_first_result(tmp_path: Path) -> None:
    assert first_result_seconds("numpy", tmp_path) > 0


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_can_be_resumed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BENCHMARKS) >= 10
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit, match="0"):
        importlib.import_module(f"benchmarks.{name}").main()
    assert "--resume" in capsys.readouterr().out


pytestmark = pytest.mark.filterwarnings("default")  # the peers' own

#: Norse's unit of weight is no power of 2, so that its sums round.
DIFFERING = {"norse": 0.02}


@pytest.fixture(params=PEERS)
def peer(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


@pytest.mark.slow
@pytest.mark.parametrize("together", [None, 1])
def test_the_same_spikes_and_gradients(peer: str, together: int | None) -> None:
    network = Network.initialise(NetworkConfig.preset("strided", steps=12)).quantised()
    drive = torch.from_numpy(Presentations.of(network.config, load("sample", "test", 4)).drive())
    fast = derivative("fast_sigmoid", slope=SLOPE)
    ours = mirror_of(network, derivative=fast, dtype=torch.float32)
    theirs = build(peer, network)
    theirs.together = together or network.config.steps
    expected, found = ours(drive), theirs(drive)
    allowed = DIFFERING.get(peer, 0.0)
    for name, layer in expected.layers.items():
        counts = layer.spikes.sum(0)
        assert counts.any()
        assert (found.counts[name] - counts).abs().sum() <= allowed * counts.sum()
    if allowed:
        return
    torch.testing.assert_close(found.reconstruction, expected.reconstruction)
    for outcome in (expected, found):
        outcome.reconstruction.square().sum().backward()
    for name, weight in zip(ours.weights, theirs.parameters(), strict=True):
        grad = ours.weights[name].grad
        assert grad is not None
        torch.testing.assert_close(
            weight.grad, grad, rtol=1e-4, atol=1e-4 * float(grad.abs().max())
        )


@pytest.mark.slow
def test_recurrent_layers(peer: str) -> None:
    """The same spikes, and the same gradients where the peer's reset is not detached."""
    sizes = Sizes(channels=30, neurons=20, outputs=4, steps=12, batch=3, active=0.3)
    every, drive = layers(sizes.network(), [peer]), sizes.drive()
    ours, weights = every[OURS]
    expected = ours(drive)
    assert expected.any()
    expected.square().sum().backward()  # type: ignore[no-untyped-call]
    theirs = {name: each for name, each in every.items() if name not in {OURS, UNCOMPILED}}
    assert len(theirs) == 2
    for name, (layer, parameters) in theirs.items():
        found = layer(drive)
        assert (found - expected).abs().sum() <= DIFFERING.get(peer, 0.0) * expected.sum()
        if peer == "norse":
            continue
        found.square().sum().backward()  # type: ignore[no-untyped-call]
        for weight, own in zip(weights, parameters, strict=True):
            grad = own.grad[:, -weight.shape[1] :].clone()
            if weight.shape[0] == weight.shape[1]:
                grad.fill_diagonal_(0)  # the peer has autapses, of weight 0
            size = float(weight.grad.abs().max())
            assert size > 0, name
            torch.testing.assert_close(grad, weight.grad, rtol=1e-4, atol=1e-4 * size)


@pytest.mark.slow
def test_steps_of_training_a_recurrent_layer() -> None:
    sizes = Sizes(channels=30, neurons=20, outputs=4, steps=12, batch=3, active=0.3)
    every = layers(sizes.network(), [])
    counts = [training(*every[name], sizes.drive(), sizes.outputs)() for name in (OURS, UNCOMPILED)]
    assert counts[0].any()
    assert torch.equal(*counts)
