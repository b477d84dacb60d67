"""Outputs are written whole or not at all, and nothing else is touched."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

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
    assert names(path) == {"new"}
    assert names(tmp_path) == {"out"}


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, MemoryError])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_failure_keeps_the_existing_file(
    failure: type[BaseException], kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "kept" / "out"
    path.mkdir(parents=True)
    (path / "old").touch()
    for target in (path, tmp_path / "new" / "out"):
        with pytest.raises(failure):
            half_write(target, kind, failure)
    assert names(path) == {"old"}
    assert names(tmp_path) == {"kept"}
    assert names(tmp_path / "kept") == {"out"}


@pytest.mark.parametrize(
    ("number", "mend"),
    [(errno.ENOSPC, "Free some space"), (errno.EFBIG, "Free some space"), (errno.EIO, "Choose")],
)
def test_a_write_that_fails(number: int, mend: str, old: Path) -> None:
    with pytest.raises(OutputError) as caught:
        half_write(old, "file", OSError(number, os.strerror(number)))
    assert str(caught.value).startswith(f"{old}: writing failed: {os.strerror(number)}. {mend}")
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
        if target == path and self.suffix == ".part":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_output(path, overwrite=True) as temporary:
        temporary.mkdir()
    assert names(path) == {"old"}
    assert names(tmp_path) == {"out"}


def test_an_existing_output_is_kept(old: Path) -> None:
    dangling = old.with_name("link")
    dangling.symlink_to("nowhere")
    for path in (old, dangling, old.parent):
        with pytest.raises(OutputError, match="exists already and was kept"):
            check_output(path)
    assert check_output(old, overwrite=True) == old
    assert check_output(dangling, overwrite=True) == dangling


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_kind_never_replaces_another(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "out"
    if kind == "file":
        path.mkdir()
        (path / "old").touch()
    else:
        path.write_text("old")
    said = f"expected a {kind}; found a {'folder' if kind == 'file' else 'file'}"
    with pytest.raises(OutputError, match=said):
        check_output(path, overwrite=True, kind="file" if kind == "file" else "folder")
    with pytest.raises(OutputError, match=said), atomic_output(path, overwrite=True) as temporary:
        temporary.touch() if kind == "file" else temporary.mkdir()
    assert names(tmp_path) == {"out"}
    assert names(path) == {"old"} if kind == "file" else path.read_text() == "old"


def test_a_special_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OutputError, match="found a special file"):
        check_output(pipe, overwrite=True)
    assert pipe.is_fifo()


def test_a_linked_folder_is_not_emptied(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "old").touch()
    path = tmp_path / "out"
    path.symlink_to(elsewhere)
    with atomic_output(path, overwrite=True) as temporary:
        temporary.mkdir()
    assert names(elsewhere) == {"old"}
    assert not path.is_symlink()


@pytest.mark.parametrize("where", ["file/out", "file/deeper/out", "/proc/out", "/proc/deeper/out"])
def test_where_nothing_can_be_written(where: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written; expected a folder in which you may"):
        check_output(tmp_path / where)


def test_a_check_leaves_no_trace(tmp_path: Path) -> None:
    check_output(tmp_path / "new" / "folder" / "out")
    assert names(tmp_path) == set()
