"""Outputs are written whole or not at all, and nothing else is touched."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest
from refusals import refused

from bioae.errors import OutputError
from bioae.files import atomic_output, check_output


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def half_write(path: Path, kind: str, failure: BaseException | type[BaseException]) -> None:
    """Begin to write a file or a folder, and fail."""
    with atomic_output(path, overwrite=True) as temporary:
        if kind == "folder":
            temporary.mkdir()
        half = temporary / "half" if kind == "folder" else temporary
        half.write_text("half")
        raise failure


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    path.write_text("old")
    return path


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "out"
    with atomic_output(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == {"out"}


def test_a_folder_replaces_a_folder_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    (path / "old").mkdir(parents=True)
    with atomic_output(path, overwrite=True) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
        assert names(path) == {"old"}
    assert (names(path), names(tmp_path)) == ({"new"}, {"out"})


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_keeps_the_existing_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "kept" / "out"
    path.mkdir(parents=True)
    (path / "old").touch()
    for target in (path, tmp_path / "new" / "out"):
        with pytest.raises(KeyboardInterrupt):
            half_write(target, kind, KeyboardInterrupt)
        assert names(target.parent) <= {"out"}
    assert (names(path), names(tmp_path)) == ({"old"}, {"kept", "new"})
    assert names(tmp_path / "kept") == {"out"}


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "Free some space"), (errno.EFBIG, "Free some space"), (errno.EIO, "Choose")],
)
def test_a_write_that_fails(number: int, hint: str, old: Path) -> None:
    with refused(OutputError, os.strerror(number), where=old, hint=re.compile(hint)):
        half_write(old, "file", OSError(number, os.strerror(number)))
    assert old.read_text() == "old"
    assert names(old.parent) == {"out"}


def test_an_interrupt_while_folders_are_swapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "old").touch()
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if target == path and self.name == "out":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_output(path, overwrite=True) as temporary:
        temporary.mkdir()
    assert (names(path), names(tmp_path)) == ({"old"}, {"out"})


def test_an_existing_output_is_kept(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = old.with_name("link")
    link.symlink_to("out")
    for path in (old, link, old.parent):
        with refused(OutputError):
            check_output(path)
        assert check_output(path, overwrite=True) == path
    monkeypatch.chdir(old.parent)
    for unfit in (".", old.parent, old.parent / ("ä" * 128), None, b"out", 3):
        with refused(OutputError):
            check_output(unfit, kind="folder")  # type: ignore[arg-type]


def test_an_empty_folder_may_become_an_output(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    assert check_output(path, kind="folder") == path
    with refused(OutputError, found="a folder"):
        check_output(path, kind="file")
    with atomic_output(path) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
    assert names(path) == {"new"}
    with refused(OutputError):
        check_output(path, kind="folder")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kind_never_replaces_another(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    if kind == "file":
        path.mkdir()
        (path / "old").touch()
    else:
        path.write_text("old")
    fields = {"expected": f"a {kind}", "found": f"a {'folder' if kind == 'file' else 'file'}"}
    with refused(OutputError, **fields):
        check_output(path, overwrite=True, kind="file" if kind == "file" else "folder")
    with refused(OutputError, **fields), atomic_output(path, overwrite=True) as temporary:
        temporary.touch() if kind == "file" else temporary.mkdir()
    assert names(tmp_path) == {"out"}
    assert names(path) == {"old"} if kind == "file" else path.read_text() == "old"


@pytest.mark.parametrize("name", ["pipe", "to a pipe", "/dev/null"])
def test_nothing_but_files_and_folders_is_replaced(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to a pipe").symlink_to("pipe")
    for overwrite in (False, True):
        with refused(OutputError, expected="a file or folder"):
            check_output(tmp_path / name, overwrite=overwrite)
    assert names(tmp_path) == {"pipe", "to a pipe"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_stays_and_what_it_leads_to_is_replaced(kind: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = elsewhere / "out"
    target.write_text("old") if kind == "file" else target.mkdir()
    (tmp_path / "second").symlink_to("elsewhere/out")
    link = tmp_path / "link"
    link.symlink_to("second")
    with atomic_output(link, overwrite=True) as temporary:
        temporary.write_text("new") if kind == "file" else (temporary / "new").mkdir(parents=True)
        assert names(tmp_path) == {"elsewhere", "second", "link"}
    assert link.is_symlink()
    assert names(elsewhere) == {"out"}
    assert target.read_text() == "new" if kind == "file" else names(target) == {"new"}


@pytest.mark.parametrize("where", ["file/out", "file/deeper/out", "/proc/out", "/proc/deeper/out"])
def test_where_nothing_can_be_written(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(OutputError):
        check_output(tmp_path / where)


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_appears_meanwhile_is_kept(kind: str, tmp_path: Path) -> None:
    def write() -> None:
        with atomic_output(tmp_path / "out") as temporary:
            temporary.mkdir() if kind == "folder" else temporary.touch()
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "mine").touch()

    with refused(OutputError):
        write()
    assert (names(tmp_path / "out"), names(tmp_path)) == ({"mine"}, {"out"})
