"""``bioae train``: train a network as a configuration file says."""

from __future__ import annotations

import json as json_format
import shlex
import sys
from pathlib import Path
from typing import Literal

from bioae.cli.interrupts import terminated_as_interrupted

__all__ = ["train"]


def train(
    config: Path,
    /,
    *,
    out: Path,
    init: Path | None = None,
    neuron: str | None = None,
    calibrate: Literal["rate", "psp", "none"] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> int:
    """Train a spiking auto-encoder as a configuration file says.

    Parameters
    ----------
    config
        The training configuration, a TOML file.
    out
        The run's folder: configuration, checkpoint, metrics, and at the end the trained model.
    init
        A trained network to start from: a folder or a .zip file. It is also the network that is
        trained, where the configuration describes none.
    neuron
        Another neuron model in every layer of it: a name, or the path of a TOML file.
    calibrate
        How the weights are scaled for that neuron, as bioae simulate does: so that firing rates
        match (rate, the default), so that single spikes do (psp), or not at all (none).
    resume
        Go on from the checkpoint in the folder, to the same bits as an uninterrupted run.
    overwrite
        Replace the run in the folder.
    json
        Print the last epoch's metrics as one JSON object.

    Returns
    -------
    int
        The exit status: 0 done, 130 interrupted.
    """
    from bioae.trainers.training.config import load_config
    from bioae.trainers.training.loop import CHECKPOINT
    from bioae.trainers.training.progress import progress_bar
    from bioae.trainers.training.train import train as run

    start = {"model": None if init is None else str(init), "neuron": neuron, "calibrate": calibrate}
    chosen = load_config(config, init=start)
    try:
        with terminated_as_interrupted(), progress_bar() as progress:
            result = run(chosen, out, resume=resume, overwrite=overwrite, progress=progress)
    except KeyboardInterrupt:
        if (out / CHECKPOINT).exists():
            options = {"init": init, "neuron": neuron, "calibrate": calibrate}
            given = [
                part for name, each in options.items() if each for part in (f"--{name}", str(each))
            ]
            command = ["bioae", "train", str(config), "--out", str(out), *given, "--resume"]
            again = shlex.join(command)
            print(f"bioae: interrupted; go on with: {again}", file=sys.stderr)
            return 130
        raise
    last = result.history[-1]
    if json:
        print(json_format.dumps(last))
    else:
        error = last["validation_sum_squared_error"]
        print(f"{result.model}: {last['epoch']} epochs, held-out error {error:.2f} per image")
    return 0
