"""Train or fit a baseline, evaluate it, and write it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from bioae.datasets import Data
from bioae.datasets.forms.registry import BOTH
from bioae.fields import Table
from bioae.runs import Report, Trained, Trainer
from bioae.runs.checkpoint import Arrays
from bioae.runs.folder import MODEL
from bioae.runs.run import run
from bioae.runs.splits import splits
from bioae.runs.trainer import Reporter
from bioae.simulation.presentations import values_of
from bioae.trainers.training.descent import Split, torch_device
from bioae.trainers.training.losses import scores
from bioae.trainers.training.reach import check_trained, check_weight_names
from bioae.trainers.training.trainer import GradientTrainer
from experiments.baselines.base import Baseline, Linear
from experiments.baselines.config import BaselineConfig, PcaKind, TrainedKind, ZeroKind
from experiments.baselines.problem import BaselineProblem
from experiments.baselines.stored import conventional_module, save_baseline, set_initial


def train_baseline(
    config: BaselineConfig | Mapping[str, Any],
    out: Path | str | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | bool | None = None,
) -> Trained:
    """Train or fit a baseline, and write it.

    The data, their order, the optimiser, the selection and the files are those of `bioae.train`.
    Principal components and the mean image are computed from the same training data.

    `config`: a configuration, or its tables; `out`, `resume`, `overwrite`, `progress`: as for
    `bioae.train`.

    The `network` of the run is the baseline, which predicts the outputs of examples.

    Raises `NetworkError`, `DataError`, `OutputError` or `ArtefactError` as `bioae.train`; or if
    there are fewer images than components.
    """
    if not isinstance(config, BaselineConfig):
        config = BaselineConfig.from_mapping(config)
    kind = _gradients if isinstance(config.baseline, TrainedKind) else _FittedOnce
    return run(lambda _: kind(config), out, resume=resume, overwrite=overwrite, progress=progress)


def _gradients(config: BaselineConfig) -> Trainer:
    return GradientTrainer(assemble_baseline(config))


def assemble_baseline(config: BaselineConfig) -> BaselineProblem:
    """Load the data, and draw the weights of a conventional network.

    `config`: the run's configuration, of a kind that is trained.

    Raises `DataError` if there are no such images, or their size is not the network's;
    `NetworkError` if there is no such device, or a name in the configuration does not exist;
    `ArtefactError` if the file of initial arrays does not fit.
    """
    assert isinstance(config.baseline, TrainedKind)
    module = conventional_module(config)
    if config.baseline.initial is not None:
        set_initial(module, Path(config.baseline.initial))
    stages = config.stages
    check_weight_names(config, stages, module.arrays, module.synaptic)
    check_trained(stages, module.arrays, ())
    module = module.to(torch_device(config.training.device))
    data = splits(config.data, config.network, config.training.seed)
    return BaselineProblem(config, module, data)


class _FittedOnce(Trainer):
    """A predictor that is fitted in one step, in no time worth a checkpoint."""

    kind: ClassVar[str] = "fitted"
    config: BaselineConfig

    def __init__(self, config: BaselineConfig) -> None:
        self.config = config
        self.data = splits(config.data, config.network, config.training.seed)
        self.at, self.records = Table(), []
        self._fitted: Baseline | None = None

    @property
    def free(self) -> Collection[str]:
        return {"data.name"}

    def arrays(self) -> Arrays:
        return {}

    def restore(self, arrays: Arrays, where: str) -> None:
        self.records = []  # it is fitted again

    @property
    def presentations(self) -> tuple[int, int]:
        return 0, len(self.data.train)

    def train(self) -> Iterator[tuple[Report, bool]]:
        network, kind, examples = self.config.network, self.config.baseline, len(self.data.train)
        if isinstance(kind, ZeroKind):
            self._fitted = Linear.zero(network)
        else:
            components = math.prod(self.config.latent.shape) if isinstance(kind, PcaKind) else 0
            self._fitted = Linear.fitted(network, values_of(network, self.data.train), components)
        scores = _scores(self._fitted, self.data.validation, "validation")
        self.records = [{"epoch": 1, "presentations": examples, **scores}]
        yield Report(1, 1, examples, examples), True

    def finish(self) -> tuple[Baseline, dict[str, Any], dict[str, Any]]:
        assert self._fitted is not None
        test = self.data.test
        tested: dict[str, Any] = {}
        if test is not None:
            tested = {**_scores(self._fitted, test, "test"), "test_seen": test.split == BOTH}
        return self._fitted, {**self.records[0], **tested}, {"epoch": 1, **tested}

    def save(self, out: Path, result: Baseline, summary: Mapping[str, Any]) -> None:
        save_baseline(result, self.config, out / MODEL)


def _scores(baseline: Baseline, data: Data, split: Split) -> dict[str, float]:
    outputs = torch.from_numpy(baseline.predict(data))
    targets = torch.from_numpy(values_of(baseline.network, data))
    found = scores(baseline.network.task, [outputs], [targets])
    return {f"{split}_{name}": value for name, value in found.items()}
