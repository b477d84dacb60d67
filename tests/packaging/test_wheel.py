"""The wheel, and the package without PyTorch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.medium

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bioae", "equations", "trainers", "analysis")
DATE = "1700000000"  # seconds


def build(source: Path, kind: str, target: Path) -> Path:
    """Build ``wheel`` or ``sdist`` with the installed tools, and return its file."""
    command = [
        sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(target),
    ]  # fmt: skip
    done = subprocess.run(
        [*command, str(source)], env=os.environ | {"SOURCE_DATE_EPOCH": DATE},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = target.iterdir()
    return file


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources, links as links, so that building leaves nothing in the checkout."""
    target = tmp_path_factory.mktemp("tree")
    ignore = shutil.ignore_patterns("__pycache__", ".*")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, target / folder, symlinks=True, ignore=ignore)
    for file in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, target)
    return target


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tree, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_tree(tree: Path, wheel: Path) -> None:
    found = {
        name: content for name, content in contents(wheel).items() if name.startswith("bioae/")
    }
    expected = {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for folder in (tree / "bioae", *(tree / "bioae" / link for link in FOLDERS[1:]))
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert sorted(found) == sorted(expected)
    assert found == expected


def test_each_kind_of_file_is_there_and_nothing_else_at_the_top(wheel: Path) -> None:
    names = set(contents(wheel))
    assert names >= {
        "bioae/cli/app.py", "bioae/data/networks/sae-mnist/card.toml", "bioae/py.typed",
        "bioae/data/networks/sae-mnist/weights.safetensors", "bioae/equations/neurons/lif.toml",
        "bioae/data/mnist-sample/train-images-idx3-ubyte.gz", "bioae/trainers/__init__.py",
        "bioae/analysis/__init__.py",
    }  # fmt: skip
    (dist_info,) = {name.split("/")[0] for name in names} - {"bioae"}
    assert dist_info.endswith(".dist-info")
    (licence,) = (name for name in names if name.endswith("/licenses/LICENSE"))
    assert contents(wheel)[licence] == (ROOT / "LICENSE").read_bytes()
    readme = contents(wheel)[f"{dist_info}/METADATA"].decode()
    links = re.findall(r"\]\(([^)\s]+)", readme)  # the index shows no files of the repository
    assert len(links) > 30
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_sdist_gives_the_same_wheel(
    sdist: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = tmp_path_factory.mktemp("source")
    with tarfile.open(sdist) as archive:
        archive.extractall(source, filter="data")
    (folder,) = source.iterdir()
    again = build(folder, "wheel", tmp_path_factory.mktemp("again"))
    assert again.read_bytes() == wheel.read_bytes()


def test_later_copies_give_the_same_sdist(
    tree: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy") / "later"
    shutil.copytree(tree, copy, symlinks=True, copy_function=shutil.copyfile)  # dated now
    again = build(copy, "sdist", tmp_path_factory.mktemp("again"))
    assert again.read_bytes() == sdist.read_bytes()


def test_it_runs_without_the_tree(unpacked: Path) -> None:
    code = (
        "import bioae, bioae.cli; from bioae.datasets import load; "
        "print(bioae.__file__, len(load('sample', 'test')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(unpacked)}, cwd=unpacked,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == f"{unpacked / 'bioae' / '__init__.py'} 500\n", done.stderr


# Python code that hides PyTorch, as if it were not installed, before anything else is imported.
# SciPy reads attributes of `sys.modules["torch"]`, which therefore cannot be None.
HIDDEN = """
import sys

class Hidden:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden)
"""

Run = subprocess.CompletedProcess[str]


def run(code: str, *arguments: str, folder: Path) -> Run:
    command = [sys.executable, "-c", HIDDEN + code, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=folder
    )


def bioae(*arguments: str, folder: Path) -> Run:
    return run("from bioae.cli import main; sys.exit(main())", *arguments, folder=folder)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("train", ["small.toml", "--out", "out"]), ("demo", ["--out", "out"]), ("parity", ["lif"])],
)
def test_commands_that_train_are_refused_in_one_line(
    command: str, arguments: list[str], tmp_path: Path
) -> None:
    if command == "train":
        shutil.copy(ROOT / "examples" / "train_small.toml", tmp_path / "small.toml")
    before = {*tmp_path.iterdir()}
    done = bioae(command, *arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert " needs PyTorch, which is not installed." in line
    assert "pip install '.[train]'" in line
    assert "https://download.pytorch.org/whl/cpu" in line
    assert {*tmp_path.iterdir()} == before


def test_a_neuron_model_is_checked_without_the_comparison(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(bioae("neurons", "show", "lif", folder=tmp_path).stdout)
    done = bioae("neurons", "check", "my.toml", folder=tmp_path)
    assert done.returncode == 0
    assert "my.toml: loads, and Brian2 integrates it." in done.stdout
    assert "Not compared with PyTorch, which is not installed" in done.stdout
    done = bioae("neurons", "check", "my.toml", "--json", folder=tmp_path)
    assert '"parity": null' in done.stdout


def test_names_of_trainers_say_what_is_missing(tmp_path: Path) -> None:
    code = """
import inspect, bioae
from bioae.errors import InputError
inspect.getmembers(bioae)  # as help() and completion do
names = bioae.trainers.__all__
assert len(names) > 10
for name in names:
    try:
        getattr(bioae.trainers, name)
    except ImportError as error:
        assert isinstance(error, InputError)
        assert f"bioae.trainers.{name} needs PyTorch" in str(error)
        assert "pip install '.[train]'" in str(error)
    else:
        raise AssertionError(name)
try:
    bioae.trainers.nothing
except AttributeError:
    print("done")
"""
    done = run(code, folder=tmp_path)
    assert done.stdout == "done\n", done.stderr
