"""Rows of a run on disk, shared by all processes that work on it.

The folder of a run holds ``experiment.json``, the identity of the run, a file per finished row
below ``rows``, the files of each trial below ``runs``, and what trials share below ``shared``. A
process locks the row that it works on: several share the work. Rows that were lost in a kill are
computed again. Checkpoints and results are removed when the rows that need them are finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from bioae.errors import OutputError, ResultError
from bioae.files import check_output, remove
from experiments.runner.criteria import quantity_of
from experiments.runner.experiment import Key, Plan
from experiments.runner.rows import Document, Identity, Row, check_same, read_json, write_json

#: The file with the identity of a run.
IDENTITY = "experiment.json"

_LOCKS = ".locks"


@dataclass(frozen=True)
class Store:
    """The rows in the folder of a run, and its identity as it began."""

    folder: Path
    identity: Identity

    @classmethod
    def reading(cls, folder: Path, identity: Identity) -> Store:
        """Return the rows in a folder, on any target; none if there is no such folder."""
        if _is_empty(folder):
            return cls(folder, identity)
        stored = _stored(folder)
        wanted = identity.model_copy(update={"target": stored.target})
        check_same(stored, wanted, folder, OutputError)
        return cls(folder, stored)

    def file(self, key: Key) -> Path:
        """Return the file of a row."""
        return self.folder / "rows" / key[0] / f"{key[1]}.json"

    def trial(self, key: Key) -> Path:
        """Return the folder of a trial."""
        return self.folder / "runs" / key[0] / str(key[1])

    def shared(self, seed: int) -> Path:
        """Return the folder that the trials of a seed share."""
        return self.folder / "shared" / str(seed)

    def lock(self, key: Key) -> FileLock:
        """Return the lock of a row."""
        return locked(self.folder / _LOCKS / f"{key[0]}-{key[1]}.lock")

    def row(self, key: Key) -> Row | None:
        """Return a row; None if there is none, or its file is damaged."""
        with suppress(ResultError):
            row = read_json(Row, self.file(key))
            return row if row.key == key else None
        return None

    def document(self, plan: Plan) -> Document:
        """Return all rows of a plan that exist, with their identity."""
        rows = tuple(row for row in map(self.row, plan.keys()) if row is not None)
        return Document(**dict(self.identity), seeds=plan.seeds, rows=rows)

    def unreadable(self, keys: Iterable[Key]) -> list[str]:
        """Return a line for each row whose file is damaged; it counts as missing."""
        files = [self.file(key) for key in keys if self.row(key) is None]
        text = "this row cannot be read, and counts as missing"
        return [f"{file}: {text}" for file in files if file.exists()]

    def add(self, row: Row) -> None:
        """Store a finished row, and remove what its trial needs no more."""
        write_json(self.file(row.key), row)
        _remove_results(self.trial(row.key))

    def tidy(self, keys: Sequence[Key]) -> None:
        """Remove what trials share and need no more: of seeds all of whose rows exist."""
        missing = {key[1] for key in keys if self.row(key) is None}
        for seed in {seed for _, seed in keys} - missing:
            _remove_results(self.shared(seed))

    def take(self, document: Document, plan: Plan) -> Store:
        """Take over rows of another run that this one does not have.

        A criterion counts as stated if each run did so before it began a condition that it needs.
        """
        begun, theirs = _begun(self.folder), {row.condition for row in document.rows}
        runs = ((self.identity.criteria, begun), (document.criteria, theirs))
        identity = self.identity.model_copy(update={"criteria": _stated(plan, *runs)})
        # Before the rows: a run that is killed between them would count criteria as stated.
        write_json(self.folder / IDENTITY, identity)
        wanted = {*plan.keys()}
        for row in document.rows:
            if row.key in wanted and self.row(row.key) is None:
                write_json(self.file(row.key), row)
        return Store(self.folder, identity)


def check_folder(folder: Path, identity: Identity, *, resume: bool, overwrite: bool) -> None:
    """Raise if a folder cannot hold the run, or holds one already, before any work is done."""
    check_output(folder, overwrite=True, kind="folder")
    if _is_empty(folder):
        return
    stored = _stored(folder)
    if resume:
        check_same(stored, identity, folder, OutputError)
    elif not overwrite:
        raise OutputError(
            "the folder holds rows already, which were kept", where=str(folder),
            hint="Continue it with --resume, or start over with --overwrite",
        )  # fmt: skip


def opened(folder: Path, plan: Plan, identity: Identity, *, resume: bool) -> Store:
    """Open a checked folder for work; make it if there is none, and replace what is not resumed."""
    if not resume and not _is_empty(folder):
        _clear(folder)
    with locked(folder / _LOCKS / "identity.lock"):
        if (folder / IDENTITY).exists():
            stored = _stored(folder)
            check_same(stored, identity, folder, OutputError)
            more = stored.conditions | identity.conditions
            criteria = _stated(plan, (stored.criteria, _begun(folder)))
            identity = stored.model_copy(update={"conditions": more, "criteria": criteria})
        write_json(folder / IDENTITY, identity)
    return Store(folder, identity)


def _begun(folder: Path) -> set[str]:
    """Return the conditions of which a run has a row, or has begun one."""
    return {path.name for part in ("rows", "runs") for path in (folder / part).glob("*")}


def _stated(plan: Plan, *runs: tuple[Sequence[str], set[str]]) -> tuple[str, ...]:
    """Return the criteria, as each run stated them before it began a condition that they need.

    Each of `runs` has its criteria, and the conditions that it has begun.
    """
    stated: dict[str, None] = {}
    for each in plan.criteria:
        concerned = [known for known, begun in runs if begun & {*each.statistic.conditions}]
        texts = [[t for t in known if quantity_of(t) == each.quantity] for known in concerned]
        if all(texts):
            stated |= dict.fromkeys(chain(*texts) if texts else [str(each)])
    return tuple(stated)


def locked(path: Path) -> FileLock:
    """Return the lock of a file, in a folder that is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path)


def _clear(folder: Path) -> None:
    """Remove the rows of a run, and what was made of them; nothing else."""
    name = _stored(folder).experiment
    with ExitStack() as locks:
        try:
            for path in (folder / _LOCKS).glob("*.lock"):
                locks.enter_context(FileLock(path, timeout=0))
        except Timeout as busy:
            raise OutputError(
                "another process works on these rows", where=str(folder),
                hint="Wait until it has finished, or end it first",
            ) from busy  # fmt: skip
        exports = [f"{name}.{ending}" for ending in ("json", "csv", "md")]
        for each in ("rows", "runs", "shared", IDENTITY, *exports):
            remove(folder / each)
        for path in (folder / "figures").glob(f"{name}-*.svg"):
            remove(path)


def _remove_results(folder: Path) -> None:
    """Remove what no trial needs when the rows that depend on it are finished."""
    from bioae.runs.folder import CHECKPOINT

    for pattern in ("*.nc", "*.npz", CHECKPOINT):
        for path in [*folder.rglob(pattern)]:
            remove(path)


def _is_empty(folder: Path) -> bool:
    """Return whether a folder holds nothing, but perhaps what a run that just begins writes."""
    begun = (_LOCKS, f".{IDENTITY}.")
    return not folder.exists() or (
        folder.is_dir() and all(path.name.startswith(begun) for path in folder.iterdir())
    )


def _stored(folder: Path) -> Identity:
    try:
        return read_json(Identity, folder / IDENTITY, OutputError)
    except OutputError as error:
        raise OutputError(
            "this is not the folder of an experiment", where=str(folder),
            expected=f"a file {IDENTITY}", found=error.what, hint="Choose another folder",
        ) from error  # fmt: skip
