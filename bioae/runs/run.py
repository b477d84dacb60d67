"""A run: its folder, checkpoint and metrics, for any training procedure.

A run's folder holds ``config.toml``, ``checkpoint.safetensors`` and ``metrics.jsonl`` from the
start, and at the end ``test.json`` and ``model``, the artefact. The checkpoint also holds the
metrics, and ``metrics.jsonl`` is written from it, so that a run killed at any point resumes without
a lost or repeated line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bioae.datasets.hashing import data_sha256
from bioae.errors import ArtefactError, NetworkError, OutputError, describe
from bioae.files import remove, write_text
from bioae.inputs import as_path
from bioae.progress import bar
from bioae.runs import checkpoint
from bioae.runs.assessment import Assessment
from bioae.runs.checkpoint import Checkpoint
from bioae.runs.folder import (
    CHECKPOINT,
    CONFIG,
    METRICS,
    MODEL,
    START,
    TEST,
    alone_in,
    check_folder,
    clear,
)
from bioae.runs.trainer import Report, Reporter, Trainer
from bioae.showing import Shown, Summary, rows_of

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]


@dataclass(frozen=True, repr=False, eq=False)
class Trained(Shown):
    """Result of a run.

    Attributes
    ----------
    network
        The trained network.
    records
        The lines of ``metrics.jsonl``: by gradients one per epoch, by rules one per checkpoint.
    summary
        The metrics of the network, as in the artefact: of its epoch, and on the test split.
    out
        The run's folder, or None.
    start, end
        The assessments of the network at the start (None if the run was resumed) and at the end:
        the score to beat, the firing of the layers, and a suggestion.
    """

    network: Any
    records: tuple[dict[str, Any], ...]
    summary: dict[str, Any]
    out: Path | None = None
    start: Assessment | None = None
    end: Assessment | None = None

    @cached_property
    def history(self) -> DataFrame:
        """The metrics so far as a table: one row per record, with columns such as ``loss``."""
        import pandas as pd

        return pd.json_normalize(list(self.records))

    @property
    def model(self) -> Path:
        """The artefact of the network.

        Raises
        ------
        ArtefactError
            If the run has no folder.
        """
        return self._file(MODEL)

    @property
    def metrics(self) -> Path:
        """The file of metrics, one line of JSON per record; raises as `model`."""
        return self._file(METRICS)

    def _file(self, name: str) -> Path:
        if self.out is None:
            raise ArtefactError("the run has no folder", hint="Save its network with bioae.save")
        return self.out / name

    def _summary(self) -> Summary:
        place = "" if self.out is None else f" in {self.out}"
        heading = f"Trained: {len(self.records)} records of metrics{place}"
        numbers = {n: each for n, each in self.summary.items() if isinstance(each, int | float)}
        if self.end and self.end.baseline:
            numbers[self.end.baseline.predictor] = self.end.baseline.value
        return Summary(heading, [("metric", "value"), *rows_of(numbers)])


def run(
    make: Callable[[Path | None], Trainer],
    out: Path | str | None = None,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Reporter | bool | None = None,
) -> Trained:
    """Train to the end, and write the files of the run.

    A resumed run gives bit for bit the result of an uninterrupted one, on the same machine and with
    the same versions. An interrupted run keeps its progress.

    `make`: returns what is trained, once the folder is known to be free. It is given the artefact
        from which a resumed run starts, if there is one.
    `out`, `resume`, `overwrite`, `progress`: as for `bioae.train`.

    Raises `ArtefactError`, `NetworkError`, `DataError` or `OutputError` as `bioae.train`.
    """
    if out is None:
        if resume:
            raise ArtefactError("a run without a folder cannot be resumed", where="resume")
        return _Run(make(None), None).finish(resume=False, progress=progress)
    # A run that never began is started, as `simulate_to` does.
    resume = resume and (as_path(out, OutputError, "output") / CHECKPOINT).is_file()
    folder = check_folder(out, resume=resume, overwrite=overwrite)
    stored = folder / START
    trainer = make(stored if resume and stored.exists() else None)
    with alone_in(folder):
        check_folder(folder, resume=resume, overwrite=overwrite)  # another process may have trained
        return _Run(trainer, folder).finish(resume=resume, progress=progress)


class _Run:
    """A run in progress."""

    def __init__(self, trainer: Trainer, out: Path | None) -> None:
        self.trainer, self.out = trainer, out
        config = trainer.config.self_contained().to_mapping()
        self._config: dict[str, Any] = json.loads(json.dumps(config))
        parts = {part: getattr(trainer.data, part) for part in trainer.parts}
        self._data = {part: data_sha256(each) for part, each in parts.items() if each is not None}
        self._saved = time.monotonic()

    def finish(self, *, resume: bool, progress: Reporter | bool | None) -> Trained:
        """Finish training, test the network, and write it."""
        trainer, out = self.trainer, self.out
        if out is not None:
            if resume:
                self._restore(out / CHECKPOINT)
            else:
                remove(out / START)
                trainer.prepare(out)
            write_text(out / CONFIG, trainer.config.to_toml(), overwrite=True)
        with trainer.running():
            self._save()
            if out is not None and not resume:
                clear(out, keep=(CHECKPOINT, METRICS))
            try:
                self._train(progress)
            except KeyboardInterrupt:
                if trainer.consistent:
                    self._save()
                raise
            result, summary, tested = trainer.finish()
        if out is not None:
            write_text(out / TEST, json.dumps(tested, allow_nan=False) + "\n", overwrite=True)
            trainer.save(out, result, summary)
        records = tuple(trainer.records)
        return Trained(result, records, summary, out, trainer.start, trainer.end)

    def _train(self, progress: Reporter | bool | None) -> None:
        trainer = self.trainer
        with reported(progress, *trainer.presentations) as report:
            for at, due in trainer.train():
                report(at)
                waited = time.monotonic() - self._saved
                if due or (trainer.interval is not None and waited >= trainer.interval):
                    self._save()

    def _restore(self, path: Path) -> None:
        """Restore the state of the checkpoint."""
        trainer = self.trainer
        stored, arrays = checkpoint.load(path)
        if stored.kind != trainer.kind:
            raise NetworkError(
                "the run was started in another way", where=str(path), expected=trainer.kind,
                found=stored.kind,
                hint="Resume with the configuration of the run, or start a new one elsewhere",
            )  # fmt: skip
        checkpoint.check_config(stored.config, self._config, str(path), trainer.free)
        checkpoint.check_data(stored.data, self._data, str(path))
        trainer.records, trainer.threads = list(stored.records), stored.threads
        try:
            trainer.at = type(trainer.at).model_validate(stored.position)
        except ValidationError as error:
            raise ArtefactError(**describe(error, type(trainer.at)), where=str(path)) from None
        trainer.restore(arrays, str(path))

    def _save(self) -> None:
        """Write the checkpoint, then the metrics, which follow from it."""
        if self.out is None:
            return
        trainer = self.trainer
        state = Checkpoint(
            kind=trainer.kind,
            config=self._config,
            data=self._data,
            position=trainer.at.model_dump(),
            records=trainer.records,
            threads=trainer.threads,
        )
        checkpoint.save(self.out / CHECKPOINT, state, trainer.arrays())
        lines = "".join(json.dumps(each, allow_nan=False) + "\n" for each in trainer.records)
        write_text(self.out / METRICS, lines, overwrite=True)
        self._saved = time.monotonic()


@contextmanager
def reported(progress: Reporter | bool | None, done: int, total: int) -> Iterator[Reporter]:
    """Yield a function that takes reports: `progress` itself, or one that moves a bar."""
    if callable(progress):
        yield progress
        return
    with bar("training", total, show=progress, unit="examples", done=done) as shown:

        def report(at: Report) -> None:
            if shown is not None:
                notes = {} if at.loss is None else {"loss": f"{at.loss:.2f}"}
                if at.score is not None:
                    notes["validation"] = f"{at.score:.4g}"
                shown.reach(at.done, label=f"epoch {at.epoch}/{at.epochs}", notes=notes)

        yield report
