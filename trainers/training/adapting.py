"""Adaptation of a trained network to changed neurons: factors on data, then gradients."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from bioae.checks import instance, whole
from bioae.errors import DataError, NetworkError, OutputError
from bioae.extras import need_torch
from bioae.runs.folder import CHECKPOINT

if TYPE_CHECKING:
    from torch import Tensor

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
    "batch_size": 8,
    "learning_rate": 4e-3,
    "schedule": {"name": "cosine", "warm_up": 0.05, "final": 0.01},
    "gradient_clip": 0,
}

#: The most examples that are held out.
_HELD_OUT = 100

#: A higher learning rate, for neurons that are still far from the task.
_FASTER = 1e-2

_LOGGER = logging.getLogger("bioae")

#: The keys of `[training]` that hold for the former network too, which is not trained.
_RUN = ("batch_size", "epochs", "seed", "dtype", "device", "compile", "threads")

#: The keys of `[training]` that are chosen so; with one of the first two nothing is tried.
_CHOSEN = ("truncate", "derivative", "learning_rate")


def adapt(
    network: NetworkLike,
    former: NetworkLike,
    data: Data | Any = "sample",
    *,
    presentations: int = 2000,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | bool | None = None,
    **options: Unpack[DataOptions],
) -> Trained:
    """Adapt a network whose neurons were changed to the task for which it had been trained.

    First the weights of each layer are multiplied by the factor, from 1/8 to 8, with which its
    spike counts are most nearly proportional to those in the former network and not higher, for 32
    examples. Then all weights are trained by gradients, and the parameters of thresholds that the
    models allow to train, a value per layer. Gradients that go back in time through a whole
    presentation explode in some neurons: short trials, of 60 updates or of no more than the
    training, choose how far they go back, the spike derivative and the learning rate. A term that
    fades out during the training draws the spike counts of each layer to multiples of those of the
    former network. The best epoch by validation is kept, or the start if none is better.

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
    settings
        Tables of a configuration, as for `bioae.train`, such as the regularisers of the former
        network's training, or ``{"training": {"trainable": []}}`` for thresholds that stay as they
        are. With a `derivative` or `truncate` in ``training`` nothing is tried, with a
        `learning_rate` other than 0.004 no other one.
    seed
        The seed of the choice and order of examples, of random input and of noise.
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
    from bioae.runs.splits import Given, example_order
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
    drawn = example_order(seed, 0, len(examples))[: -(-number // epochs) + held_out]
    given = Given(examples[np.sort(drawn)], None, {})
    own = _tables(settings or {})
    asked = own.pop("training", {})
    chosen: dict[str, Any] = {"epochs": epochs, "seed": seed}
    # Layers with settings may train other parameters, or none.
    if not {"layers", "trainable"} & asked.keys():
        chosen["trainable"] = _thresholds(changed)
    tables = {**own, "data": {"validation": held_out}, "training": _TRAINING | chosen | asked}
    shown = None if callable(progress) else progress
    fixed = {key: each for key, each in asked.items() if key in _CHOSEN}
    make = partial(_trainer, changed, before, given, tables, shown=shown, own=fixed)
    return run(make, out, resume=resume, overwrite=overwrite, progress=progress)


def _tables(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of settings that fit an adaptation."""
    names = ("training", "regularisers")
    instance(settings, "settings", Mapping, error=NetworkError)
    for name, table in settings.items():
        if name not in names:
            expected = " or ".join(names)
            raise NetworkError("no such table", where="settings", expected=expected, found=name)
        instance(table, f"settings, {name}", Mapping, error=NetworkError)
    return dict(settings)


def _thresholds(network: Network) -> list[str]:
    """Return the parameters in conditions of thresholds that the neuron models allow to train.

    Those with a value that was set outside the bounds of `[trainable]` are left as they are.
    """
    from bioae.equations.declarations import trained_bounds

    found: set[str] = set()
    outside: set[str] = set()
    for placed in network.config.placed:
        program, values = placed.program, network.parameters(placed)
        if program.threshold is not None:
            names = program.threshold.names
            names = names.union(*(program.dependents.get(each, ()) for each in names))
            for name in names & placed.model.trainable.keys():
                low, high = trained_bounds(placed.model, name)
                found.add(name)
                if not ((low <= values[name]) & (values[name] <= high)).all():
                    outside.add(name)
    if outside:
        _LOGGER.info("not trained, as set out of bounds: %s", ", ".join(sorted(outside)))
    return sorted(found - outside)


def _trainer(
    changed: Network, former: Network, given: Given, tables: dict[str, Any], stored: Path | None,
    *, shown: bool | None, own: dict[str, Any],
) -> GradientTrainer:  # fmt: skip
    """Return the trainer, whose start is the network with matched spike counts."""
    import torch

    from bioae.networks import artefact
    from bioae.networks.network import Network
    from bioae.runs import checkpoint
    from bioae.trainers.training.config import TrainingConfig
    from bioae.trainers.training.descent import reproducible
    from bioae.trainers.training.guidance import GuidedProblem
    from bioae.trainers.training.trainer import GradientTrainer
    from bioae.trainers.training.training import assemble, with_settings
    from bioae.trainers.training.trials import WIDE, best_settings

    def assembled(network: Network, tables: dict[str, Any]) -> Problem:
        config = TrainingConfig.from_mapping({**tables, "network": network.config})
        return assemble(config, network, given)

    run = {key: each for key, each in tables["training"].items() if key in _RUN}
    earlier = assembled(former, {"data": tables["data"], "training": run})
    start = Network(changed.config.self_contained(), changed.weights)
    problem = assembled(start, tables)
    if stored is not None:
        start = artefact.load(stored).network
        if start.config.to_mapping() != problem.config.network.to_mapping():
            raise OutputError(
                "the run adapts another network", where=str(stored.parent),
                hint="Choose another folder, or start again with overwrite",
            )  # fmt: skip
        before, _ = checkpoint.load(stored.parent / CHECKPOINT)
        settings = before.config.get("training", {})
        chosen = {key: settings[key] for key in _CHOSEN if key in settings} | own
    else:
        with reproducible(problem.config.training.threads or torch.get_num_threads()):
            start = _matched(problem, earlier)
            tried = not own.keys() & set(_CHOSEN[:2])
            usual = problem.config.training.learning_rate == _TRAINING["learning_rate"]
            faster = _FASTER if usual else None
            change = partial(with_settings, problem, start)
            best = partial(best_settings, problem, change, faster, shown)
            chosen = (best() if tried else {"derivative": WIDE}) | own
    problem = with_settings(problem, start, **chosen)
    guided = GuidedProblem(problem.config, problem.mirror, problem.data, earlier)
    # Gradients of some neurons are noise, and the matched start is then better.
    return GradientTrainer(guided, start, keeps_start=True)


def _matched(problem: Problem, former: Problem) -> Network:
    """Return the network of a problem, its layers scaled to fire like those of another one."""
    import torch

    from bioae.trainers.training.descent import first_batches
    from bioae.trainers.training.guidance import misfit

    with torch.no_grad():
        ran = [former.run(batch).layers for batch in first_batches(former, former.stages[0])]
    counts = {name: torch.cat([layers[name].counts for layers in ran]).double() for name in ran[0]}

    def unlike(name: str, found: Tensor) -> float:
        # At higher rates the patterns of some neurons fit better, but the training takes longer.
        excess = float(found.mean() / counts[name].mean().clamp(min=1e-9)) - 1
        return float(misfit(found, counts[name])) + max(excess, 0.0)

    problem.calibrate(first_batches(problem, problem.stages[0]), unlike)
    return problem.mirror.to_network()
