"""Rows of a run on disk, shared by all processes that work on it.

The folder of a run holds ``experiment.json``, the identity of the run, a file per finished row
below ``rows``, the files of each trial below ``runs``, and what trials share below ``shared``. A
process locks the row that it works on: several share the work. Rows that were lost in a kill are
computed again. Checkpoints and results are removed when the rows that need them are finished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bioae.errors import InputError, OutputError, ResultError, shortened
from bioae.files import check_output, remove
from experiments.runner.criteria import quantity_of
from experiments.runner.experiment import Key
from experiments.runner.rows import Document, Identity, Row, validated, write_json

__all__ = ["IDENTITY", "Store", "check_folder", "check_rows", "opened"]

#: The file with the identity of a run.
IDENTITY = "experiment.json"

_LOCKS = ".locks"
_ROWS, _RUNS, _SHARED = "rows", "runs", "shared"
#: The endings of what is made of all rows.
_EXPORTS = ("json", "csv", "md", "nc")
_MEND = "Continue it with --resume, or start over with --overwrite"


@dataclass(frozen=True)
class Store:
    """The rows of a run.

    Attributes
    ----------
    folder
        The folder of the run.
    identity
        The form of the experiment, as the run began.
    """

    folder: Path
    identity: Identity

    @classmethod
    def reading(cls, folder: Path, identity: Identity) -> Store:
        """Return the rows in a folder, for reading only: none if there is no such folder.

        Raises
        ------
        OutputError
            If the folder holds other rows, or something else.
        """
        if not folder.exists() or _is_empty(folder):
            return cls(folder, identity)
        stored = _stored(folder)
        wanted = identity.model_copy(update={"target": stored.target})
        return cls(folder, _same(folder, stored, wanted))

    def rows(self, keys: Iterable[Key]) -> list[Row]:
        """Return the rows that exist; see `unreadable`."""
        return [row for key in keys if (row := self._row(key)) is not None]

    def unreadable(self, keys: Iterable[Key]) -> list[str]:
        """Return a line for each row whose file is damaged; it counts as missing."""
        files = [self._file(key) for key in keys if self._row(key) is None]
        return [
            f"{file}: this row cannot be read, and counts as missing"
            for file in files
            if file.exists()
        ]

    def has(self, key: Key) -> bool:
        """Return whether a row exists."""
        return self._row(key) is not None

    def add(self, row: Row) -> None:
        """Store a finished row, and remove what its trial needs no more."""
        _write(self._file(row.key), row)
        _remove_results(self.trial(row.key))

    def tidy(self, keys: Collection[Key]) -> None:
        """Remove what trials share and need no more: of seeds all of whose rows exist.

        Parameters
        ----------
        keys
            All rows of the run.
        """
        for seed in {seed for _, seed in keys}:
            if all(self.has(key) for key in keys if key[1] == seed):
                _remove_results(self.shared(seed))

    def take(self, document: Document, keys: Iterable[Key]) -> Store:
        """Take over rows of another run that this one does not have, see `check_rows`.

        Criteria that are not those of the other run count as changed or added after the run began.
        """
        wanted = set(keys)
        for row in document.rows:
            if row.key in wanted and not self.has(row.key):
                _write(self._file(row.key), row)
        own, theirs = self.identity.criteria, document.criteria
        shared = {*map(quantity_of, own)} & {*map(quantity_of, theirs)}
        stated = dict.fromkeys((*own, *theirs))
        criteria = tuple(each for each in stated if quantity_of(each) in shared)
        identity = self.identity.model_copy(update={"criteria": criteria})
        _write(self.folder / IDENTITY, identity)
        return Store(self.folder, identity)

    def trial(self, key: Key) -> Path:
        """Return the folder of a trial."""
        return self.folder / _RUNS / key[0] / str(key[1])

    def shared(self, seed: int) -> Path:
        """Return the folder that the trials of a seed share."""
        return self.folder / _SHARED / str(seed)

    @contextmanager
    def claimed(self, key: Key, *, wait: bool) -> Iterator[bool]:
        """Keep other processes from a row, and tell whether it is this process's.

        Parameters
        ----------
        key
            The row.
        wait
            Whether to wait for a process that works on it.
        """
        lock = FileLock(self.folder / _LOCKS / f"{key[0]}-{key[1]}.lock")
        try:
            lock.acquire(blocking=wait)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _file(self, key: Key) -> Path:
        return self.folder / _ROWS / key[0] / f"{key[1]}.json"

    def _row(self, key: Key) -> Row | None:
        with suppress(ResultError):
            row = validated(Row, self._file(key), ResultError)
            return row if row.key == key else None
        return None


def check_folder(folder: Path, identity: Identity, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that holds a run already, or cannot hold one, before any work is done.

    Raises
    ------
    OutputError
        If it has files and neither `resume` nor `overwrite` is set; or if they are not those of
        a run, or, to resume, of another run.
    """
    check_output(folder, overwrite=True, kind="folder")
    for name in (_ROWS, _RUNS, _SHARED, _LOCKS):
        check_output(folder / name, overwrite=True, kind="folder")
    for ending in _EXPORTS:
        check_output(folder / f"{identity.experiment}.{ending}", overwrite=True, kind="file")
    if folder.exists() and not _is_empty(folder):
        stored = _stored(folder)
        if resume:
            _same(folder, stored, identity)
        elif not overwrite:
            raise OutputError(
                "the folder holds rows already, which were kept", where=str(folder), hint=_MEND
            )


def check_rows(
    document: Document, identity: Identity, where: Path, *, columns: Collection[str]
) -> None:
    """Refuse rows of another run to take over, before any work is done.

    Settings of conditions without rows may differ.

    Parameters
    ----------
    document, where
        The rows, and their file.
    identity
        The run that takes them over.
    columns
        The columns of the experiment.

    Raises
    ------
    ResultError
        If they are of another experiment, form, size or target, or of other settings; or if a row
        is of an unknown condition, has no numbers or unknown ones, or is there twice.
    """
    for each in document.rows:
        _check_row(each, identity, where, columns)
    for row, times in Counter(row.key for row in document.rows).items():
        if times > 1:
            raise ResultError(f"the row {row[0]}, seed {row[1]}, is there twice", where=str(where))
    run = {row.condition for row in document.rows}
    unstated = sorted(run - document.conditions.keys())
    if unstated:
        raise ResultError(
            f"the settings of the condition {unstated[0]!r} are missing, and there are rows of it",
            where=f"{where}, conditions",
        )
    conditions = {name: each for name, each in document.conditions.items() if name in run}
    differing = _differing(document.model_copy(update={"conditions": conditions}), identity)
    if differing is not None:
        key, found, expected = differing
        hint = "Give --rows a file of the same form of the experiment, with the same settings"
        raise _of_another_run(ResultError, where, (key, expected, found), hint)


def _check_row(row: Row, identity: Identity, where: Path, columns: Collection[str]) -> None:
    unknown = sorted(row.numbers.keys() - columns)
    if row.condition not in identity.conditions:
        what, known = f"there is no condition {row.condition!r}", tuple(identity.conditions)
    elif unknown or not row.numbers:
        found = f"the column {unknown[0]!r}" if unknown else "no number"
        what, known = f"the row {row.condition}, seed {row.seed}, has {found}", tuple(columns)
    else:
        return
    raise ResultError(what, where=str(where), expected=f"one of {', '.join(known)}")


@contextmanager
def opened(folder: Path, identity: Identity, *, resume: bool, overwrite: bool) -> Iterator[Store]:
    """Open the folder of a run for work, and make it if there is none.

    Raises
    ------
    OutputError
        As `check_folder`; or if rows are to be replaced while another process works on them.
    """
    check_folder(folder, identity, resume=resume, overwrite=overwrite)
    (folder / _LOCKS).mkdir(parents=True, exist_ok=True)
    if not resume and (folder / IDENTITY).exists():
        _check_alone(folder)
        _clear(folder, _stored(folder).experiment)
    yield Store(folder, _written(folder, identity))


def _check_alone(folder: Path) -> None:
    """Refuse to replace rows on which another process works."""
    for path in (folder / _LOCKS).glob("*.lock"):
        try:
            FileLock(path, blocking=False).acquire().lock.release()
        except Timeout:
            raise OutputError(
                "another process works on these rows",
                where=str(folder),
                hint="Share its work with --resume, or end it first",
            ) from None


def _written(folder: Path, identity: Identity) -> Identity:
    """Write the identity of a run, or add to it what is new; one process at a time."""
    with FileLock(folder / _LOCKS / "identity.lock"):
        stored = _stored(folder) if (folder / IDENTITY).exists() else None
        now = identity if stored is None else _same(folder, stored, identity)
        if now != stored:
            _write(folder / IDENTITY, now)
    return now


def _write(path: Path, model: Row | Identity) -> None:
    """Write a file of a run. A link in its place is replaced: nobody named where it leads."""
    if path.is_symlink():
        remove(path)
    write_json(path, model)


def _remove_results(folder: Path) -> None:
    """Remove what no trial needs when the rows that depend on it are finished."""
    from bioae.trainers.training.folder import UNFINISHED

    for pattern in ("*.nc", "*.npz", *UNFINISHED):
        for path in [*folder.rglob(pattern)]:
            remove(path)


def _is_empty(folder: Path) -> bool:
    """Return whether a folder holds nothing, but perhaps what a run that just begins writes."""
    begun = (_LOCKS, f".{IDENTITY}.")
    return folder.is_dir() and all(path.name.startswith(begun) for path in folder.iterdir())


def _stored(folder: Path) -> Identity:
    if not (folder / IDENTITY).exists():
        raise OutputError(
            "this is not the folder of an experiment",
            where=str(folder),
            expected=f"a file {IDENTITY}",
            hint="Choose another folder",
        )
    try:
        return validated(Identity, folder / IDENTITY, OutputError)
    except OutputError as error:
        raise OutputError(
            "this is not the folder of an experiment",
            where=str(folder),
            found=f"{IDENTITY}: {error.what}",
            hint="Choose another folder",
        ) from error


def _same(folder: Path, stored: Identity, wanted: Identity) -> Identity:
    """Return the stored identity with conditions that are new, if the rest is the wanted one."""
    differing = _differing(stored, wanted)
    if differing is not None:
        hint = (
            "Continue it with the options and the definition of its start, or choose another folder"
        )
        raise _of_another_run(OutputError, folder, differing, hint)
    return stored.model_copy(update={"conditions": stored.conditions | wanted.conditions})


def _of_another_run(
    error: type[InputError], where: Path, differing: tuple[str, object, object], hint: str
) -> InputError:
    key, expected, found = differing
    return error(
        f"the rows are of another run: {key} differs",
        where=str(where),
        expected=shortened(str(expected)),
        found=shortened(str(found)),
        hint=hint,
    )


def _differing(stored: Identity, wanted: Identity) -> tuple[str, object, object] | None:
    """Return what differs. Criteria may, and either identity may have more conditions."""
    both = {name: each for name, each in wanted.conditions.items() if name in stored.conditions}
    compared = {"conditions": stored.conditions | (both or wanted.conditions)}
    for name in Identity.model_fields:
        before, now = getattr(stored, name), compared.get(name, getattr(wanted, name))
        if name != "criteria" and before != now:
            return _difference(name, before, now)
    return None


def _difference(key: str, before: object, now: object) -> tuple[str, object, object]:
    """Return the first key below which two values differ, and what they have there."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in (*before, *now):
            if before.get(name) != now.get(name):
                return _difference(f"{key}.{name}", before.get(name), now.get(name))
    return key, before, now


def _clear(folder: Path, name: str) -> None:
    """Remove the rows of a run, and what was made of them; nothing else."""
    for each in (_ROWS, _RUNS, _SHARED, IDENTITY):
        remove(folder / each)
    exports = [folder / f"{name}.{ending}" for ending in _EXPORTS]
    for path in (*exports, *(folder / "figures").glob(f"{name}-*.svg")):
        remove(path)
    with suppress(OSError):
        (folder / "figures").rmdir()
