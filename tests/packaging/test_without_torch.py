"""An installation without PyTorch: it simulates and analyses, and says what the rest needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.medium

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
ROOT = Path(__file__).resolve().parents[2]
CPU_WHEEL = "https://download.pytorch.org/whl/cpu"

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
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert " needs PyTorch, which is not installed." in line
    assert "pip install '.[train]'" in line
    assert CPU_WHEEL in line
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


def test_a_shipped_network_is_simulated_and_analysed(tmp_path: Path) -> None:
    options = ["--limit", "2", "--target", "numpy"]
    done = bioae("simulate", "sae-mnist", "--out", "digits.nc", *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = bioae("analyze", "digits.nc", "--out", "analysis", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "analysis" / "report.html").stat().st_size > 10_000
