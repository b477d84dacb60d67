"""Suggestions at the end of training, the warning of a constant loss, and calibrated weights."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run

from bioae.datasets import Data
from bioae.networks import NetworkConfig
from bioae.runs import Assessment, Report
from bioae.runs.splits import Splits
from bioae.trainers.training.descent import assess_end, assess_start, first_batches

CALIBRATED = ', or initialise = "calibrated" in [training]'
MEMBRANE = ', or initialise = "calibrated" and derivative = "arctan" in [training]'
TWO = [{"epochs": 1}, {"epochs": 2, "learning_rate": 1e-3}]
START = Assessment(None, layers={"hidden": {"dead_fraction": 0.9}}, suggestion="it")


@pytest.mark.parametrize(
    ("training", "errors", "faults", "expected"),
    [
        ({"select": "last"}, [3, 2], {}, f"epochs = 12 in [training]{CALIBRATED}"),
        ({"select": "last"}, [2, 3], {}, f"learning_rate = 5e-05 in [training]{CALIBRATED}"),
        ({"initialise": "calibrated"}, [2, 3], {}, "learning_rate = 5e-05 in [training]"),
        ({"initialise": "calibrated"}, [2, 2], {}, "learning_rate = 0.005 in [training]"),
        ({"derivative": "membrane", "trainable": []}, [2, 3], {},
         f"learning_rate = 5e-05 in [training]{MEMBRANE}"),
        ({"stages": TWO}, [3, 2], {}, f"epochs = 8 in [training.stages.2nd]{CALIBRATED}"),
        ({"stages": TWO}, [2, 3], {},
         f"learning_rate = 0.0001 in [training.stages.2nd]{CALIBRATED}"),
        ({"stages": [{"epochs": 1}, {}]}, [3, 2], {}, f"epochs = 12 in [training]{CALIBRATED}"),
        ({}, [0], {"hidden": "dead_fraction"}, "it"),
        ({}, [0], {"other": "dead_fraction"},
         'beta2 = { target = 0.02, coefficient = 0.01, layers = ["other"] } in [regularisers]'),
        ({}, [3], {"other": "dead_fraction"}, "learning_rate = 5e-05 in [training]"),
        ({}, [3, 3], {"other": "dead_fraction"},
         'beta2 = { target = 0.02, coefficient = 0.01, layers = ["other"] } in [regularisers]'),
        ({"derivative": "exact"}, [3], {"other": "dead_fraction"},
         "silent = 0.05 in [regularisers]"),
        ({}, [0], {"hidden": "bursting_fraction"},
         'lambda2 = { coefficient = 0.01, layers = ["hidden"] } in [regularisers]'),
    ],
)  # fmt: skip
def test_suggestions_at_the_end(
    training: dict[str, Any], errors: list[float], faults: dict[str, str], expected: str
) -> None:
    problem = small_run.problem(small_run.config(**training))
    records = [{"validation_sum_squared_error": each, "loss": each} for each in errors]
    layers = {name: {fault: 0.9} for name, fault in faults.items()}
    summary = {**records[-1], "test_sum_squared_error": 100 * errors[-1], "test_layers": layers}
    assert assess_end(problem, START, records, summary, None).suggestion == expected


@pytest.mark.parametrize(("former", "warned"), [(1.0, True), (3.0, False)])
def test_a_network_that_training_made_worse_is_an_obstacle(former: float, warned: bool) -> None:
    problem = small_run.problem(small_run.config(derivative="membrane", trainable=[]))
    record = {"validation_sum_squared_error": 2.0, "loss": 2.0}
    summary = {**record, "test_sum_squared_error": 2.0, "test_layers": {}}
    end = assess_end(problem, None, [record], summary, {"validation_sum_squared_error": former})
    assert end.worsened is warned
    assert (end.obstacle is not None) is warned
    expected = 'learning_rate = 5e-05 in [training], or derivative = "arctan" in [training]'
    assert end.suggestion == (expected if warned else None)


@pytest.mark.parametrize("derivative", ["membrane", "arctan", "exact"])
def test_a_silent_layer_is_an_obstacle_if_no_gradient_reaches_it(derivative: str) -> None:
    hidden, output = small_run.NETWORK["layers"]
    layers = [{**hidden, "name": "front"}, {**hidden, "gain": 1e-3}, output]
    network = NetworkConfig.from_mapping({**small_run.NETWORK, "layers": layers})
    config = small_run.config({"l2": 1e-4}, derivative=derivative, trainable=[])
    problem = small_run.problem(config.with_network(network))
    start = assess_start(problem, problem.stages[0], drawn=True)
    assert start.dead == ["hidden"]
    assert (start.obstacle is None) is (derivative == "arctan")
    assert all(each.grad is None for each in problem.weights.values())
    waking = str(start.suggestion).startswith("silent = 0.05 in [regularisers], or initialise = ")
    assert waking is (derivative == "exact")


@pytest.mark.medium
@pytest.mark.parametrize(
    ("stopped", "gain", "suggestion"),
    [(None, 2.0, "learning_rate = 1e-11 in"), (40, 2.0, ""), (None, 1e-3, "initialise = ")],
)
def test_a_constant_loss_is_said(
    stopped: int | None, gain: float, suggestion: str,
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """But for a resumed run, in which fewer than 20 losses are known."""
    same = Data.of_images(np.full((20, 1, small_run.SIDE, small_run.SIDE), 255, np.uint8))
    config = small_run.config(batch_size=1, learning_rate=1e-12)
    layers = [{**each, "gain": gain} for each in small_run.NETWORK["layers"]]
    encoder = {"kind": "bernoulli", "rate": 1.0}
    network = {**small_run.NETWORK, "layers": layers, "encoder": encoder}
    config = config.with_network(NetworkConfig.from_mapping(network))

    def fit(**options: Any) -> None:
        problem = replace(small_run.problem(config), data=Splits(same, same[:3], None))
        small_run.fit(problem, tmp_path, **options)

    def stop(report: Report) -> None:
        if report.done == stopped:
            raise KeyboardInterrupt

    with nullcontext() if stopped is None else pytest.raises(KeyboardInterrupt):
        fit(progress=stop)
    fit(resume=True)
    said = [each for each in caplog.messages if "of the last 20 batches" in each]
    assert len(said) == (stopped is None)
    assert all(suggestion in each for each in said)


def test_layers_fire_on_the_grid_of_stored_weights() -> None:
    """A unit of 3000 makes calibrated weights smaller than a step of the grid."""
    hidden, output = small_run.NETWORK["layers"]
    pool = {"kind": "avg_pool2d", "name": "pool", "kernel": 1, "stride": 1}
    layers = [pool, {**hidden, "weight": "3000"}, output]
    network = NetworkConfig.from_mapping({**small_run.NETWORK, "layers": layers})
    problem = small_run.problem(small_run.config(trainable=[]).with_network(network))
    (stage,) = problem.stages
    problem.calibrate(first_batches(problem, stage))
    start = assess_start(problem, stage, drawn=True)
    assert 0.25 <= 6 * start.layers["hidden"]["rate_per_step_mean"] < 0.4
