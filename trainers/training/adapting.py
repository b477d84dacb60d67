"""Adaptation of a trained network to changed neurons: factors on data, then gradients."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from functools import partial
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from bioae.checks import instance, whole
from bioae.errors import DataError, NetworkError, OutputError
from bioae.extras import need_torch
from bioae.progress import counted
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

#: The parts of a presentation through which gradients may go back, as divisors of its steps.
_PARTS = (1, 2, 4, 8)

#: The spike derivatives that are tried; the second suits neurons that are reset to one value.
_WIDE = {"name": "arctan"}
_NARROW = {"name": "arctan", "alpha": 4.0, "detach_reset": True}

#: One for models whose scale is much larger than their distances to threshold.
_SHARP = {"name": "arctan", "alpha": 32.0}

#: One that gradients of a steep upstroke pass by, and the part of the presentation for it.
_STRAIGHT, _HALF = {"name": "arctan", "straight_through": 0.9}, 2

_CONSTANT = {"name": "constant"}

#: The updates in which a choice is tried.
_TRIED = 16

#: The factor of a higher learning rate that is tried last.
_FASTER = 2.5

#: The greatest norm of a gradient, in medians of the trial: Adam remembers one that exploded for a
#: thousand updates.
_CLIP = 2.0

#: The ratio by which trained thresholds must lower the error.
_CLEARLY = 1.05

#: The ratio to the lowest error up to which another is as good.
_EQUAL = 1.1

_LOGGER = logging.getLogger("bioae")

#: The keys of `[training]` that hold for the former network too, which is not trained.
_RUN = ("batch_size", "epochs", "seed", "dtype", "device", "compile", "threads")

#: The keys of `[training]` that are chosen so; with one of the first two nothing is tried.
_CHOSEN = ("truncate", "derivative", "learning_rate", "gradient_clip", "trainable")


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
    examples. Then all weights are trained by gradients. Gradients that go back in time through a
    whole presentation explode in some neurons: 16 updates are tried with the whole, a half, a
    quarter and an eighth of it, then with a narrower spike derivative and a detached reset, with a
    much narrower one, with an input variable that leaks at a fixed rate in the backward pass, with
    a higher learning rate, and with trained parameters of thresholds, a value per layer. Those with
    the lowest error are used, and gradients clipped at twice the median norm of their updates. A
    term that fades out during the training draws the spike counts of each layer to multiples of
    those of the former network. The best epoch by validation is kept, or the start if none is
    better.

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
    chosen = {"epochs": epochs, "seed": seed}
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
            # Layers with settings of their own may train other parameters, or none.
            theirs = {"layers", "trainable"} & tables["training"].keys()
            thresholds = [] if theirs else _thresholds(changed)
            tried = not own.keys() & set(_CHOSEN[:2])
            best = partial(_best, problem, start, thresholds, shown)
            chosen = (best() if tried else {"derivative": _WIDE}) | own
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


def _best(
    problem: Problem, start: Network, thresholds: list[str], shown: bool | None
) -> dict[str, Any]:
    """Return the settings with which a few updates lower the loss most.

    Gradients that explode or vanish do not lower it.
    """
    from bioae.trainers.training.training import with_settings

    def tried(settings: dict[str, Any]) -> tuple[float, dict[str, Any]]:
        loss, norm = _loss(with_settings(problem, start, schedule=_CONSTANT, **settings))
        report(place := next(finished))
        _LOGGER.info("%d of %d: error %.4g", place, number, loss)
        return loss, {"gradient_clip": _CLIP * norm, **settings}

    steps = start.config.steps
    cuts: list[dict[str, Any]] = [
        {"derivative": _WIDE, **({"truncate": max(steps // part, 1)} if part > 1 else {})}
        for part in _PARTS
    ]
    rate = problem.config.training.learning_rate
    tries_rate = rate == _TRAINING["learning_rate"]
    number, finished = len(cuts) + 3 + tries_rate + bool(thresholds), count(1)
    _LOGGER.info("%d settings are tried, in %d updates each", number, _TRIED)
    with counted("trying settings", number, shown, unit="settings") as report:
        whole = [tried(each) for each in cuts]
        lowest = min(each for each, _ in whole)
        # Short cuts are biased, and few updates are noisy: the longest that is about as good.
        place = next(n for n, (each, _) in enumerate(whole) if each <= _EQUAL * lowest)
        others = {**cuts[place], "derivative": _NARROW}, {"derivative": _SHARP}
        straight = {"derivative": _STRAIGHT, "truncate": max(steps // _HALF, 1)}
        best = min(whole[place], *map(tried, others), key=itemgetter(0))
        # Exact gradients lead further, unless they are much worse at first.
        passing = tried(straight)
        best = passing if _EQUAL * passing[0] < best[0] else best
        if tries_rate:
            faster = tried({**best[1], "learning_rate": _FASTER * rate})
            best = faster if _EQUAL * faster[0] < best[0] else best
        if thresholds:
            trained = tried({**best[1], "trainable": thresholds})
            best = trained if _CLEARLY * trained[0] < best[0] else best
        return best[1]


def _loss(problem: Problem) -> tuple[float, float]:
    """Return the error in the second half of a few updates, and the median norm of gradients.

    The error is infinite if it diverges.
    """
    from bioae.runs.splits import example_order
    from bioae.trainers.training.trainer import GradientTrainer

    trainer, stage, train = GradientTrainer(problem), problem.stages[0], problem.data.train
    seed, size = stage.settings.seed, stage.settings.batch_size
    order = np.resize(example_order(seed, 1, len(train)), _TRIED * size)
    losses, norms = [], []
    try:
        for chosen in np.split(order, _TRIED):
            batch = problem.batch(train[chosen], seed)
            losses.append(trainer.update(batch, stage)[problem.task.kind])
            gradients = [each.grad for each in trainer.weights.values() if each.grad is not None]
            norms.append(math.sqrt(sum(float(each.square().sum()) for each in gradients)))
    except NetworkError:
        return math.inf, 0.0
    return float(np.mean(losses[_TRIED // 2 :])), float(np.median(norms))
