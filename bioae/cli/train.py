"""``bioae train``: train a network from a configuration file."""

from __future__ import annotations

import json as json_format
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bioae.cli.options import check_effect
from bioae.errors import NetworkError
from bioae.progress import is_watched

if TYPE_CHECKING:
    from bioae.networks.network import Network
    from bioae.trainers.training.progress import Report

__all__ = ["train"]

#: The seconds between two lines on finished epochs: short runs print none.
_QUIET = 10.0


def train(
    config: Path,
    /,
    *,
    out: Path,
    init: str | None = None,
    neuron: str | None = None,
    calibrate: Literal["rate", "psp", "none"] | None = None,
    rule: str | None = None,
    resume: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Train a spiking network from a configuration file, by gradients or by rules.

    Parameters
    ----------
    config
        The training configuration, a TOML file. With a table [learning], the network learns by
        rules, without gradients.
    out
        The run's folder: configuration, checkpoint, metrics and, at the end, the trained network.
    init
        A trained network to start from: a folder, a .zip file, or a name from bioae networks
        list. If the configuration describes no network, this one is trained.
    neuron
        Another neuron model for every layer that fires: a name, or the path of a TOML file.
    calibrate
        Scaling of the weights for that neuron model, as in bioae simulate: to match firing rates
        (rate, the default) or single spikes (psp), or no scaling (none).
    rule
        The synapse model by which layers that name none learn, in place of the rule in [learning]:
        a name, or the path of a TOML file.
    resume
        Continue from the checkpoint in the folder; the result is bit for bit that of an
        uninterrupted run.
    overwrite
        Replace the run in the folder.
    json
        Print the metrics of the trained network as one JSON object: of its epoch, and on the test
        split.

    Returns
    -------
    int
        The exit status: 0 done, 130 interrupted.
    """
    from bioae.extras import need_torch

    if resume:
        check_effect("--resume continues the run in the folder", overwrite=overwrite)
    start = {"model": init, "neuron": neuron, "calibrate": calibrate}
    if _learns(config):
        return _learn(config, out, start, rule=rule, json=json, resume=resume, overwrite=overwrite)
    if rule is not None and config.is_file():
        raise NetworkError(
            "this network is trained by gradients", where="--rule",
            hint="Leave it out, or write a table [learning] in place of [training]",
        )  # fmt: skip
    need_torch("bioae train")
    from bioae.trainers.training.config import load_config

    settings = load_config(config, init=start)  # before PyTorch is imported

    from bioae.trainers.training.folder import CHECKPOINT
    from bioae.trainers.training.training import train as run

    try:
        progress = None if is_watched() else _epochs_in_lines()
        result = run(settings, out, resume=resume, overwrite=overwrite, progress=progress)
    except KeyboardInterrupt:
        if (out / CHECKPOINT).exists():
            options = {"init": init, "neuron": neuron, "calibrate": calibrate}
            repeated = [
                part for name, each in options.items() if each for part in (f"--{name}", str(each))
            ]
            command = ["bioae", "train", str(config), "--out", str(out), *repeated, "--resume"]
            print(f"bioae: interrupted; continue with: {shlex.join(command)}", file=sys.stderr)
            return 130
        raise
    summary = result.summary
    if json:
        print(json_format.dumps(summary))
    else:
        print(
            f"{result.model}: epoch {summary['epoch']} of {len(result.history)}, "
            f"{_tested(result.network, summary)}"
        )
    return 0


def _epochs_in_lines() -> Callable[[Report], None]:
    """Return a function that prints finished epochs, for logs, where there is no bar."""
    started = printed = time.monotonic()
    epoch: int | None = None

    def report(at: Report) -> None:
        nonlocal epoch, printed
        now = time.monotonic()
        if epoch not in (None, at.epoch) and now - printed > _QUIET:
            score = "" if at.score is None else f", validation {at.score:.4g}"
            text = f"epoch {epoch} of {at.epochs}{score}, {now - started:.0f} s"
            print(text, file=sys.stderr, flush=True)
            printed = now
        epoch = at.epoch

    return report


def _learns(config: Path) -> bool:
    """Return whether the network of a configuration learns by rules."""
    from bioae.documents import read_toml

    try:
        tables = read_toml(config, "training configuration", error=NetworkError)
    except NetworkError:
        return False  # which the training refuses
    if "learning" not in tables:
        return False
    for name in ("training", "regularisers"):
        if name in tables:
            raise NetworkError(
                f"a network learns by rules or by gradients: found both [learning] and [{name}]",
                where=str(config),
                hint="Remove one of them",
            )
    return True


def _learn(
    config: Path,
    out: Path,
    start: Mapping[str, str | None],
    *,
    rule: str | None,
    json: bool,
    resume: bool,
    overwrite: bool,
) -> int:
    from bioae.learning import learn_from, load_learning
    from bioae.trainers.training.folder import FIGURES, LEARNING

    given = [key for key, value in start.items() if value is not None]
    if given:
        raise NetworkError(
            "a network that learns by rules starts from its description",
            where=", ".join(f"--{'init' if key == 'model' else key}" for key in given),
            hint="Leave it out",
        )
    settings = load_learning(config, rule=rule)
    try:
        result = learn_from(settings, out, resume=resume, overwrite=overwrite)
    except KeyboardInterrupt:
        if not (out / LEARNING).exists():
            raise
        chosen = [] if rule is None else ["--rule", rule]
        command = ["bioae", "train", str(config), "--out", str(out), *chosen, "--resume"]
        print(f"bioae: interrupted; continue with: {shlex.join(command)}", file=sys.stderr)
        return 130
    if json:
        print(json_format.dumps(result.summary))
        return 0
    texts = {
        "test_assigned_accuracy": "test accuracy by the classes of neurons",
        "test_readout_accuracy": "by a linear read-out",
        "test_rate_hz_mean": "mean rate in Hz",
    }
    found = [f"{text} {result.summary[n]:.3g}" for n, text in texts.items() if n in result.summary]
    print(f"{result.model}: {result.history[-1]['presentations']:,} presentations")
    print(f"  {', '.join(found)}")
    figures = [str(path) for path in (out / name for name in FIGURES) if path.exists()]
    print(f"  {', '.join(figures)}")
    return 0


def _tested(network: Network, metrics: Mapping[str, Any]) -> str:
    """Return the first score of the task on the test data, and whether it trained on them."""
    score, *_ = network.config.task.scores
    value = metrics[f"test_{score}"]
    seen = " (of training data: the file has one set for both splits)"
    if score == "sum_squared_error":
        text = f"test error {value:.2f} per image"
    else:
        text = f"test {score.replace('_', ' ')} {value:.4g}"
    return text + seen if metrics["test_seen"] else text
