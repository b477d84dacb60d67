"""``bioae train``: train a network from a configuration file."""

from __future__ import annotations

import json as json_format
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from bioae.cli.epochs import shown_progress
from bioae.cli.options import check_effect

if TYPE_CHECKING:
    from bioae.runs import Trained


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
        Continue an interrupted run, if there is one; the result is bit for bit that of an
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
    from bioae.api import train as run
    from bioae.configuration import load_configuration
    from bioae.runs.folder import CHECKPOINT

    if resume:
        check_effect("--resume continues the run in the folder", overwrite=overwrite)
    start = {"model": init, "neuron": neuron, "calibrate": calibrate}
    settings = load_configuration(config, init=start, rule=rule)
    try:
        shown = shown_progress()
        result = run(settings, out=out, resume=resume, overwrite=overwrite, progress=shown)
    except KeyboardInterrupt:
        if not (out / CHECKPOINT).exists():
            raise
        options = {"init": init, "neuron": neuron, "calibrate": calibrate, "rule": rule}
        repeated = [
            part for name, each in options.items() if each for part in (f"--{name}", str(each))
        ]
        command = ["bioae", "train", str(config), "--out", str(out), *repeated, "--resume"]
        print(f"bioae: interrupted; continue with: {shlex.join(command)}", file=sys.stderr)
        return 130
    if json:
        print(json_format.dumps(result.summary))
    else:
        for line in _lines_of(result):
            print(line)
    return 0


def _lines_of(result: Trained) -> Iterator[str]:
    """Yield the lines about a finished run."""
    from bioae.runs.folder import FIGURES

    summary = result.summary
    assert result.end is not None
    beaten = f" ({result.end.baseline})" if result.end.baseline else ""
    if "epoch" in summary:
        epoch = f"selected epoch {summary['epoch']} of {len(result.records)}"
        yield f"{result.model}: {epoch}, {_tested(summary)}{beaten}"
        return
    yield f"{result.model}: {result.records[-1]['presentations']:,} presentations"
    texts = {
        "test_assigned_accuracy": "test accuracy by the classes of neurons",
        "test_readout_accuracy": "by a linear read-out",
        "test_rate_hz_mean": "mean rate in Hz",
    }
    values = [
        f"{text} {summary[name]:.3g}{beaten if 'assigned' in name else ''}"
        for name, text in texts.items()
        if summary.get(name) is not None
    ]
    if any(f"test_{name}" in summary for name in result.network.config.task.scores):
        values.insert(0, f"{_tested(summary)}{beaten}")
    yield f"  {', '.join(values)}"
    figures = (result.model.with_name(name) for name in FIGURES)
    yield f"  {', '.join(str(path) for path in figures if path.exists())}"


def _tested(metrics: Mapping[str, Any]) -> str:
    """Return the first score of the task on the test data, and whether it trained on them.

    Without test data it is that on the validation split.
    """
    name = next(
        name for split in ("test_", "validation_") for name in metrics if name.startswith(split)
    )
    split, _, score = name.partition("_")
    value = metrics[name]
    seen = " (of training data: the file has one set for both splits)"
    if score == "sum_squared_error":
        text = f"{split} error {value:.2f} per image"
    else:
        text = f"{split} {score.replace('_', ' ')} {value:.4g}"
    return text + seen if metrics.get("test_seen") else text
