"""Train or fit a baseline, evaluate it, and write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bioae.datasets import Data
from bioae.datasets.forms.registry import BOTH
from bioae.errors import NetworkError
from bioae.files import write_text
from bioae.progress import check_progress
from bioae.runs.splits import splits
from bioae.simulation.presentations import values_of
from bioae.trainers.training.checkpoint import check_exists
from bioae.trainers.training.descent import Split, torch_device
from bioae.trainers.training.folder import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    MODEL,
    TEST,
    alone_in,
    check_folder,
    clear,
    write_metrics,
)
from bioae.trainers.training.loop import Fitted, fit
from bioae.trainers.training.names import check_weight_names
from bioae.trainers.training.progress import Reporter
from bioae.trainers.training.reach import check_trained
from bioae.trainers.training.scores import evaluate_scores
from bioae.trainers.training.stages import stages_of
from experiments.baselines.base import Baseline
from experiments.baselines.config import BaselineConfig
from experiments.baselines.kinds import PcaKind, TrainedKind, ZeroKind
from experiments.baselines.predictors import Linear
from experiments.baselines.problem import BaselineProblem
from experiments.baselines.stored import (
    Trained,
    conventional_module,
    save_baseline,
    set_initial,
)

__all__ = ["BaselineResult", "assemble_baseline", "train_baseline"]


@dataclass(frozen=True)
class BaselineResult:
    """Result of a baseline's run.

    Attributes
    ----------
    baseline
        The baseline, which predicts the outputs of examples.
    history
        The metrics of each epoch, as in ``metrics.jsonl``; one entry if it is fitted in one step.
    summary
        The metrics of the selected epoch, and those on the test split.
    out
        The run's folder.
    """

    baseline: Baseline
    history: tuple[dict[str, Any], ...]
    summary: dict[str, Any]
    out: Path

    @property
    def model(self) -> Path:
        """The folder from which `load_baseline` reads it."""
        return self.out / MODEL


def train_baseline(
    config: BaselineConfig | Mapping[str, Any],
    out: Path | str,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | bool | None = None,
) -> BaselineResult:
    """Train or fit a baseline, and write it.

    The images, their order, the optimiser, the selection and the files are those of `train`; the
    test split is evaluated once, at the end. Principal components and the mean image are computed
    from the same training images.

    Parameters
    ----------
    config
        A configuration, or its tables.
    out
        The run's folder.
    resume
        Continue from the checkpoint in `out`; the result is bit for bit that of an uninterrupted
        run. What is fitted in one step is fitted again.
    overwrite
        Replace a run in `out`; other files there are left unchanged.
    progress
        Called after every batch; or whether to show a bar, by default on a terminal and in a
        notebook.

    Raises
    ------
    NetworkError
        If the configuration does not fit, or differs from that of the run to resume, or the loss
        is no longer finite.
    DataError
        If the images do not fit the network, are fewer than the components, or are not those of
        the run to resume.
    OutputError
        If `out` exists and neither `resume` nor `overwrite` is set, or it cannot be written, or
        another process trains in it.
    ArtefactError
        If there is no checkpoint to resume from, or it does not fit.
    """
    check_progress(progress)
    if not isinstance(config, BaselineConfig):
        config = BaselineConfig.from_mapping(config)
    out = check_folder(out, resume=resume, overwrite=overwrite)
    baseline: Baseline
    if isinstance(config.baseline, TrainedKind):
        if resume:
            check_exists(out / CHECKPOINT)
        problem = assemble_baseline(config)
        with alone_in(out):
            # Another process may have trained since.
            check_folder(out, resume=resume, overwrite=overwrite)
            fitted = fit(problem, out, resume=resume, progress=progress)
            baseline = Trained(problem.module)
            save_baseline(baseline, config, out / MODEL)
    else:
        baseline, fitted = _fit_once(config)
        with alone_in(out):
            check_folder(out, overwrite=resume or overwrite)  # other files are removed
            if resume:
                _check_fitted(out)
            _write_fitted(config, fitted, out)
            save_baseline(baseline, config, out / MODEL)
    return BaselineResult(baseline, tuple(fitted.history), fitted.summary, out)


def assemble_baseline(config: BaselineConfig) -> BaselineProblem:
    """Load the data, and draw the weights of a conventional network.

    Parameters
    ----------
    config
        The run's configuration, of a kind that is trained.

    Raises
    ------
    DataError
        If there are no such images, or their size is not the network's.
    NetworkError
        If there is no such device, or a name in the configuration does not exist.
    ArtefactError
        If the file of initial arrays does not fit.
    """
    assert isinstance(config.baseline, TrainedKind)
    module = conventional_module(config)
    if config.baseline.initial is not None:
        set_initial(module, Path(config.baseline.initial))
    stages = stages_of(config)
    check_weight_names(config, stages, module.arrays)
    check_trained(stages, module.arrays, ())
    module = module.to(torch_device(config.training.device))
    return BaselineProblem(
        config, module, *splits(config.data, config.network, config.training.seed)
    )


def _check_fitted(out: Path) -> None:
    """Reject to resume a run of a trained kind as a fitted one, which would lose its progress."""
    if (out / CHECKPOINT).exists():
        raise NetworkError(
            "the run was started with another baseline",
            where=str(out / CHECKPOINT),
            expected="no checkpoint: the baseline is fitted in one step",
            hint="Resume with the configuration of the run, or start a new one elsewhere",
        )


def _fit_once(config: BaselineConfig) -> tuple[Baseline, Fitted]:
    train, validation, test = splits(config.data, config.network, config.training.seed)
    network, kind = config.network, config.baseline
    if isinstance(kind, ZeroKind):
        baseline = Linear.zero(network)
    else:
        components = config.components if isinstance(kind, PcaKind) else 0
        baseline = Linear.fitted(network, values_of(network, train), components)
    metrics = {
        "epoch": 1,
        "presentations": len(train),
        **_scores(baseline, validation, "validation"),
    }
    tested = {**_scores(baseline, test, "test"), "test_seen": test.split == BOTH}
    return baseline, Fitted([metrics], {**metrics, **tested})


def _write_fitted(config: BaselineConfig, fitted: Fitted, out: Path) -> None:
    """Write the files of a fitted run, without its model."""
    clear(out)
    write_metrics(out / METRICS, fitted.history)
    (metrics,) = fitted.history
    tested = {key: each for key, each in fitted.summary.items() if key not in metrics}
    texts = {
        CONFIG: config.to_toml(),
        TEST: json.dumps({"epoch": metrics["epoch"], **tested}) + "\n",
    }
    for name, text in texts.items():
        write_text(out / name, text, overwrite=True)


def _scores(baseline: Baseline, data: Data, split: Split) -> dict[str, float]:
    outputs = torch.from_numpy(baseline.predict(data))
    targets = torch.from_numpy(values_of(baseline.network, data))
    scores = evaluate_scores(baseline.network.task, [(outputs, targets)])
    return {f"{split}_{name}": value for name, value in scores.items()}
