"""Adaptation of a trained network to changed neurons: rates on data, then gradients."""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from bioae.checks import whole
from bioae.errors import DataError, NetworkError, OutputError
from bioae.extras import need_torch

if TYPE_CHECKING:
    from bioae.datasets import Data, DataOptions
    from bioae.networks.artefact import NetworkLike
    from bioae.networks.network import Network
    from bioae.runs import Trained
    from bioae.runs.splits import Given
    from bioae.runs.trainer import Reporter
    from bioae.trainers.training.problem import Problem
    from bioae.trainers.training.trainer import GradientTrainer

#: Settings that suit all shipped neurons; see the page on changing the neuron.
_TRAINING: dict[str, Any] = {
    "batch_size": 16,
    "learning_rate": 4e-3,
    "schedule": {"name": "cosine", "warm_up": 0.05, "final": 0.01},
    "derivative": "arctan",
    "gradient_clip": 0,
    "select": "last",
}

#: The most examples that are held out.
_HELD_OUT = 100

#: The parts of a presentation through which gradients may go back, as divisors of its steps.
_PARTS = (1, 2, 4, 8)


def adapt(
    network: NetworkLike,
    former: NetworkLike,
    data: Data | Any = "sample",
    *,
    presentations: int = 2000,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | bool | None = None,
    **options: Unpack[DataOptions],
) -> Trained:
    """Adapt a network whose neurons were changed to the task for which it had been trained.

    First the weights of each layer are multiplied by the factor with which it fires as often as in
    the former network, for 32 examples. Then all weights are trained by gradients. These go back in
    time through the whole presentation, a half, a quarter or an eighth of it: the one for which
    the gradients of two batches agree best, since those that explode are noise.

    Parameters
    ----------
    network
        The changed network, such as ``former.with_neuron("adex")``.
    former
        The network before the change, of the same layers.
    data, options
        Data to train on, in any of the forms of `bioae.datasets.convert`: the training split of a
        name or a path. A tenth of them, 100 at most, is held out for validation.
    presentations
        The number of presentations to train on. Examples are repeated if there are fewer.
    seed
        The seed of the order of examples, of random input and of noise.
    out, resume, overwrite, progress
        As for `bioae.train`: with a folder, an interrupted run can be resumed.

    Returns
    -------
    Trained
        The adapted network, and its metrics.

    Raises
    ------
    LibraryError
        If PyTorch is not installed.
    NetworkError
        If the networks have different layers, or the task has no loss.
    DataError, OutputError, ArtefactError
        As `bioae.train`.
    """
    need_torch("adapt")
    from bioae.datasets.conversion import check_options
    from bioae.networks.artefact import network_of
    from bioae.runs.run import run
    from bioae.runs.splits import Given
    from bioae.simulation.presentations import converted

    check_options(options, adapt)
    changed, before = network_of(network), network_of(former)
    layers, expected = (
        [(each.name, each.shape) for each in found.config.placed] for found in (changed, before)
    )
    if layers != expected:
        raise NetworkError(
            "the networks have different layers", where="former",
            expected=", ".join(name for name, _ in layers),
            found=", ".join(name for name, _ in expected),
        )  # fmt: skip
    if isinstance(data, str | os.PathLike):
        options.setdefault("split", "train")
    examples = converted(changed.config, data, **options)
    if len(examples) < 2:
        raise DataError("one example is not enough", expected="2 or more", found="1")
    number = whole(presentations, "presentations", least=1)
    held_out = max(1, min(_HELD_OUT, len(examples) // 10))
    epochs = -(-number // (len(examples) - held_out))
    given = Given(examples[: -(-number // epochs) + held_out], None, {})
    training = {**_TRAINING, "epochs": epochs, "seed": seed}
    tables = {"data": {"validation": held_out}, "training": training}
    make = partial(_trainer, changed, before, given, tables)
    return run(make, out, resume=resume, overwrite=overwrite, progress=progress)


def _trainer(
    changed: Network, former: Network, given: Given, tables: dict[str, Any], stored: Path | None
) -> GradientTrainer:
    """Return the trainer, whose start is the network with matched rates."""
    from bioae.networks import artefact
    from bioae.networks.network import Network
    from bioae.trainers.training.config import TrainingConfig
    from bioae.trainers.training.trainer import GradientTrainer
    from bioae.trainers.training.training import assemble

    def assembled(network: Network, truncate: int | None = None) -> Problem:
        training = {**tables["training"], **({"truncate": truncate} if truncate else {})}
        whole_tables = {**tables, "training": training, "network": network.config}
        return assemble(TrainingConfig.from_mapping(whole_tables), network, given)

    config = changed.config.self_contained()
    if stored is not None:
        start = artefact.load(stored).network
        if start.config.to_mapping() != config.to_mapping():
            raise OutputError(
                "the run adapts another network", where=str(stored.parent),
                hint="Choose another folder, or start again with overwrite",
            )  # fmt: skip
    else:
        start = Network(config, changed.weights)
        start = _matched(assembled(start), assembled(former))
    steps = start.config.steps
    problems = [assembled(start, None if part == 1 else max(steps // part, 1)) for part in _PARTS]
    # Rounded, so that the longest is kept where others are hardly better.
    best = max(problems, key=lambda problem: round(_agreement(problem), 1))
    return GradientTrainer(best, start)


def _matched(problem: Problem, former: Problem) -> Network:
    """Return the network of a problem, its layers firing as often as those of another one."""
    import torch

    from bioae.trainers.training.descent import first_batches

    with torch.no_grad():
        ran = [former.run(batch).layers for batch in first_batches(former, former.stages[0])]
    counts = {name: torch.cat([layers[name].counts for layers in ran]) for name in ran[0]}
    spikes = {name: float(each.double().mean()) for name, each in counts.items()}
    problem.calibrate(first_batches(problem, problem.stages[0]), spikes)
    return problem.mirror.to_network()


def _agreement(problem: Problem) -> float:
    """Return the cosine between the gradients of two batches, the mean over arrays of weights.

    It is near 0 where gradients explode or vanish.
    """
    from torch.nn.functional import cosine_similarity

    stage, train, gradients = problem.stages[0], problem.data.train, []
    half = min(stage.settings.batch_size, max(len(train) // 2, 1))
    for examples in (train[:half], train[-half:]):
        batch = problem.batch(examples, stage.settings.seed)
        problem.terms(batch, stage, 0.0)["loss"].backward()  # type: ignore[no-untyped-call]
        gradients.append([problem.weights[name].grad for name in problem.synaptic])
        for weights in problem.weights.values():
            weights.grad = None
    cosines = [
        float(cosine_similarity(one.double().flatten(), other.double().flatten(), dim=0))
        for one, other in zip(*gradients, strict=True)
        if one is not None and other is not None
    ]
    return sum(each if math.isfinite(each) else 0.0 for each in cosines) / len(cosines)
