"""Missing requirements of CUDA are reported in one line, with the remedy, on any machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bioae
from bioae.cli import main
from bioae.errors import TargetError
from bioae.simulation.targets.activation import check_target
from bioae.simulation.targets.cuda import requirements
from bioae.simulation.targets.cuda.requirements import Toolkit, check_cuda, compute_capability

GPU = "#!/bin/sh\necho 9.0\n"
NVCC = "#!/bin/sh\necho 'Cuda compilation tools, release 12.4, V12.4.131'\n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has all but the toolkit and a GPU; programs may be put into the folder."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("g++", "make"):
        program(programs / name, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(programs))
    for name in ("CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(requirements, "_SYSTEM", (tmp_path / "nowhere",))
    monkeypatch.setattr(requirements, "find_spec", lambda name: name if name != "nvidia" else None)
    return programs


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def toolkit(machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine with a toolkit."""
    home = machine.parent / "cuda"
    program(home / "bin" / "nvcc", NVCC)
    program(home / "include" / "curand.h", "")
    monkeypatch.setenv("CUDA_HOME", str(home))
    return home


def complaint() -> str:
    with pytest.raises(TargetError) as caught:
        check_target("cuda_standalone")
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_an_old_python(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 11, 2, "final", 0))
    line = complaint()
    assert "brian2cuda" in line
    assert "Python 3.12 or later" in line
    assert "Python 3.11" in line


def test_a_new_python_without_brian2cuda(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 12, 1, "final", 0))
    assert "pip install 'bioae[cuda]'" in complaint()


def test_no_cxx_compiler(machine: Path) -> None:
    (machine / "g++").unlink()
    assert "needs g++, which cannot be found" in complaint()


def test_no_nvcc(machine: Path) -> None:
    line = complaint()
    assert "nvcc" in line
    assert "apt install nvidia-cuda-toolkit" in line
    assert "CUDA_HOME" in line


def test_no_random_numbers_in_the_toolkit(toolkit: Path) -> None:
    (toolkit / "include" / "curand.h").unlink()
    line = complaint()
    assert "cuRAND" in line
    assert "pip install nvidia-curand-cu12" in line
    assert str(toolkit) in line


def test_no_gpu(toolkit: Path, machine: Path) -> None:
    assert "GPU" in complaint()
    program(machine / "nvidia-smi", "#!/bin/sh\necho 'No devices were found'\nexit 6\n")
    line = complaint()
    assert "nvidia-smi finds none" in line
    assert "driver" in line


def test_an_old_gpu(toolkit: Path, machine: Path) -> None:
    program(machine / "nvidia-smi", GPU.replace("9.0", "5.2"))
    line = complaint()
    assert "6.0" in line
    assert "5.2" in line


def test_complete_machine(toolkit: Path, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine / "nvidia-smi", '#!/bin/sh\ncase "$*" in *--id=3) echo 8.6;; *) echo 9.0; esac')
    assert check_target("cuda_standalone") == "cuda_standalone"
    assert check_cuda() == Toolkit(toolkit)
    assert Toolkit(toolkit).version == 12.4
    assert compute_capability() == 9.0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    assert compute_capability() == 8.6


def test_a_compiler_on_the_path_that_calls_another(machine: Path, toolkit: Path) -> None:
    """As distributions install it; the headers are where the other is."""
    home = Path(str(toolkit))
    program(machine / "nvcc", f"#!/bin/sh\necho '#$ _HERE_={home}/bin' >&2\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUDA_HOME")
        assert Toolkit.find() == Toolkit(home)


def test_simulate_reports_missing_requirements(
    machine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = bioae.Network.initialise(bioae.NetworkConfig.preset("strided"))
    with pytest.raises(TargetError, match="nvcc"):
        bioae.simulate(network, np.zeros((1, 28, 28)), "cuda_standalone")
    bioae.save(network, tmp_path / "model")
    model, out = (str(tmp_path / name) for name in ("model", "result.nc"))
    assert main(["simulate", model, "--out", out, "--target", "cuda_standalone"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "nvcc" in captured.err


def test_requirements_import_neither_torch_nor_brian2cuda() -> None:
    code = (
        "import sys; from bioae.simulation.targets.cuda.requirements import check_packages\n"
        "try: check_packages()\n"
        "except Exception as error: print(error)\n"
        "assert not {'brian2cuda', 'torch'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
