"""Adaptation of a network to changed neurons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import refused
from small_run import NETWORK, images
from stopping import at_presentation

from bioae import load, simulate
from bioae.errors import NetworkError, OutputError
from bioae.networks import Network, NetworkConfig
from bioae.trainers import adapt
from bioae.trainers.training import trials
from bioae.trainers.training.adapting import _thresholds
from bioae.trainers.training.guidance import misfit
from bioae.trainers.training.trials import WIDE

DATA = images(90, "train")


@pytest.fixture(scope="module")
def former() -> Network:
    changes = {"encoder": {"kind": "constant_current", "gain": 0.3}, "steps": 24}
    return Network.initialise(NetworkConfig.from_mapping({**NETWORK, **changes}), seed=1)


def spikes(network: Network) -> torch.Tensor:
    """Return the spike counts of hidden neurons, (example, neuron)."""
    counts = simulate(network, DATA[:40], "numpy")["layers/hidden/spike_count"].to_numpy()
    return torch.from_numpy(counts).double()


def test_misfit_is_of_patterns_not_of_rates() -> None:
    wanted, silent = torch.tensor([[0.0, 2.0], [4.0, 1.0]]), torch.zeros(2, 2, requires_grad=True)
    assert float(misfit(3 * wanted, wanted)) == pytest.approx(0, abs=1e-6)
    assert float(misfit(wanted.flip(0), wanted)) == pytest.approx(2 - 2 * 4 / 21)
    loss = misfit(silent, wanted)
    loss.backward()
    assert float(loss.detach()) == 2  # the worst, so that no layer is scaled to silence
    assert torch.equal(silent.grad < 0, wanted > 0)  # a silent layer is drawn to fire


@pytest.mark.medium
def test_counts_are_matched_and_then_weights_are_trained(former: Network, tmp_path: Path) -> None:
    changed = former.with_neuron("lif_subtract", calibrate="none")
    changed = changed.with_weights({"hidden.weight": 4 * changed.weights["hidden.weight"]})
    before = spikes(former)
    assert before.mean() > 0.5
    assert misfit(spikes(changed), before) > 0.1
    settings = {"regularisers": {"lambda1": 1e-6}}
    run = adapt(changed, former, DATA, presentations=800, settings=settings, out=tmp_path / "run")
    assert run.records[-1]["lambda1"] > 0
    assert misfit(spikes(load(tmp_path / "run" / "start").network), before) < 0.03
    assert [each["presentations"] for each in run.records] == [*range(80, 801, 80)]
    first, *_, last = (each["validation_sum_squared_error"] for each in run.records)
    assert last < first
    assert load(run.model).network.sha256 == run.network.sha256


@pytest.mark.medium
def test_an_interrupted_adaptation_is_resumed(former: Network, tmp_path: Path) -> None:
    arguments = (former.with_neuron("cuba"), former, DATA)
    whole = adapt(*arguments, presentations=64)
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        adapt(
            *arguments, presentations=64, out=out, progress=at_presentation(32, KeyboardInterrupt)
        )
    with refused(OutputError, where=out):
        adapt(former.with_neuron("lif"), former, DATA, presentations=64, out=out, resume=True)
    for settings in ("c.toml", {"data": {}}, {"training": 5}, {"training": {"truncate": 3}}):
        with refused(NetworkError):
            adapt(*arguments, presentations=64, settings=settings, out=out, resume=True)  # type: ignore[arg-type]
    resumed = adapt(*arguments, presentations=64, out=out, resume=True)
    assert resumed.network.sha256 == whole.network.sha256


def test_thresholds_within_bounds_may_be_trained(former: Network) -> None:
    assert _thresholds(former.with_neuron("adex")) == ["Delta_T", "V_T"]  # in a folded constant
    lif = former.with_neuron("lif_subtract", calibrate="none")
    assert (_thresholds(lif), _thresholds(lif.with_parameters({"theta": "20"}))) == (["theta"], [])
    settings = {"training": {"trainable": ["theta"], "derivative": "arctan", "select": "last"}}
    run = adapt(lif, former, DATA, presentations=80, settings=settings)
    assert run.network.weights["hidden.theta"] != 1


NARROW = {"name": "arctan", "alpha": 4.0, "detach_reset": True}
STRAIGHT = {"name": "arctan", "straight_through": 0.9}


@pytest.mark.parametrize(
    ("errors", "chosen"),
    [
        ({}, {"derivative": WIDE}),
        ({"alpha 4": 0.8}, {"derivative": NARROW}),
        ({"truncate 6": 0.95}, {"derivative": WIDE}),  # exact gradients lead further
        ({"straight": 0.8}, {"derivative": STRAIGHT, "truncate": 12}),
        ({"rate": 0.95}, {"derivative": WIDE}),
        ({"alpha 4": 0.5, "rate": 0.8}, {"derivative": NARROW, "learning_rate": 0.01}),
        ({"alpha 4": np.inf, "wide": np.inf}, {"derivative": WIDE, "truncate": 12}),
        ({"any": np.inf}, None),
    ],
)
def test_the_setting_that_lowers_the_error_clearly_is_chosen(
    former: Network, monkeypatch: pytest.MonkeyPatch, errors: dict[str, float], chosen: object,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    advanced: list[tuple[object, int]] = []

    class Trial:
        def __init__(self, problem: object, settings: dict[str, Any]) -> None:
            self.settings, derivative = settings, settings["derivative"]
            kinds = {
                "wide": settings == {"derivative": WIDE},
                "alpha 4": derivative == NARROW and "truncate" not in settings,
                "truncate 6": settings.get("truncate") == 6,
                "straight": derivative == STRAIGHT,
                "rate": "learning_rate" in settings,
                "any": True,
            }
            self.error = np.prod([errors.get(kind, 1) for kind, holds in kinds.items() if holds])
            self.failure = "not finite"

        def advance(self, batches: list[object]) -> list[object]:
            advanced.append((self.settings, len(batches)))
            return batches

    class Caught(Exception):  # noqa: N818 - it ends an adaptation that would train
        pass

    def caught(*arguments: Any) -> None:
        raise Caught(best_settings(*arguments))

    monkeypatch.setattr(trials, "_Trial", Trial)
    best_settings = trials.best_settings
    monkeypatch.setattr(trials, "best_settings", caught)
    caplog.set_level("INFO")
    arguments = former.with_neuron("lif"), former, DATA
    if chosen is None:
        with refused(NetworkError, where="adapt", found="not finite"):
            adapt(*arguments, presentations=160, progress=False)
        return
    with pytest.raises(Caught) as found:
        adapt(*arguments, presentations=160, progress=False)
    assert found.value.args == (chosen,)
    assert "about 0 s for these and 160 presentations" in caplog.messages
    assert len(advanced) == 12
    assert {number for _, number in advanced} == {4, 8}  # the fewest, in so short a training


@pytest.mark.medium
def test_a_start_that_no_epoch_improves_on_is_kept(
    former: Network, caplog: pytest.LogCaptureFixture
) -> None:
    ruin = {"derivative": "arctan", "learning_rate": 5.0}
    run = adapt(former.with_neuron("cuba"), former, DATA, presentations=80,
                settings={"training": ruin})  # fmt: skip
    epochs = [each["validation_sum_squared_error"] for each in run.records]
    assert run.summary["epoch"] == 0
    assert run.summary["validation_sum_squared_error"] < min(epochs)
    assert any("start" in each and "learning_rate = 0.5" in each for each in caplog.messages)


def test_networks_of_other_layers_are_refused(former: Network) -> None:
    tables = former.config.to_mapping()
    tables["layers"][0]["units"] = 11
    other = Network.initialise(NetworkConfig.from_mapping(tables))
    with refused(NetworkError, where="former", expected="hidden, output"):
        adapt(other, former, DATA)
