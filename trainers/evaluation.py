"""Scores and firing of a trained network on data, in the mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from bioae.checks import whole
from bioae.extras import need_torch
from bioae.progress import Progress, counted

if TYPE_CHECKING:
    from bioae.datasets import Data, DataOptions
    from bioae.networks.artefact import NetworkLike
    from bioae.simulation.backend import Dtype


def evaluate(
    network: NetworkLike,
    data: Data | Any = "sample",
    *,
    seed: int = 0,
    dtype: Dtype = "float64",
    batch_size: int = 64,
    progress: Progress | bool | None = None,
    **options: Unpack[DataOptions],
) -> dict[str, Any]:
    """Evaluate a network on data: scores of its task, and firing statistics of its layers.

    Parameters
    ----------
    network
        The network; or an artefact, or the path or name of a trained network.
    data, options
        Data in any of the forms of `bioae.datasets.convert`, with labels or
        targets where the task needs them; by default the embedded digits of the test split.
    seed
        The seed of random input and of the noise of neurons.
    dtype
        The type of numbers in the mirror.
    batch_size
        The number of examples that run at once. Results do not depend on it.
    progress
        Called after each batch with the numbers of finished and of all examples; or whether to
        show a bar, by default on a terminal and in a notebook.

    Returns
    -------
    dict
        The scores of the task by name, such as ``sum_squared_error`` (per image) or ``accuracy``;
        and ``layers``, by name: ``rate_per_step_mean``, ``rate_per_step_mean_alive``,
        ``active_fraction_mean``, ``dead_fraction`` and ``bursting_fraction``, as in training's
        metrics.

    Raises
    ------
    LibraryError
        If PyTorch is not installed.
    DataError
        If the data do not fit the network, or have no labels or targets that its task needs.
    """
    need_torch("evaluate")
    import torch

    from bioae.datasets.conversion import check_options
    from bioae.networks.artefact import network_of
    from bioae.simulation.backend import Backend
    from bioae.simulation.presentations import Presentations
    from bioae.trainers.mirror.network import NetworkMirror
    from bioae.trainers.training.descent import targets_of
    from bioae.trainers.training.losses import scores
    from bioae.trainers.training.problem import LayerTally

    check_options(options, evaluate)
    found = network_of(network)
    size = whole(batch_size, "batch_size", least=1)
    kind = getattr(torch, Backend("numpy", dtype).dtype)
    config, task = found.config, found.config.task
    presented = Presentations.of(config, data, seed=seed, **options)
    outputs, targets = [], []
    tallies = {each.name: LayerTally() for each in config.placed if each.can_fire}
    with torch.no_grad(), counted("mirror", len(presented), progress, unit="examples") as report:
        mirror = NetworkMirror(found, dtype=kind).eval()
        for part in presented.chunks(size):
            drive = torch.from_numpy(presented.drive(part)).to(kind)
            activity = mirror(drive, key=presented.key(part))
            if task.scores:
                outputs.append(activity.output)
                part_targets = targets_of(task, presented[part].data, config.steps, dtype=kind)
                targets.append(part_targets)
            for name, tally in tallies.items():
                tally.add(activity.layers[name])
            report(part.stop)
    layers = {name: tally.figures() for name, tally in tallies.items()}
    found_scores = scores(task, outputs, targets) if task.scores else {}
    return {**found_scores, "layers": layers}
