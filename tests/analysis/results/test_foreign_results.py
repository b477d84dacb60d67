"""Results from strangers: nothing but the file is read, and no more than it holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from hdf5_changes import cases, inflating_too_much, virtual

from bioae import archives
from bioae.analysis import example_result, open_result
from bioae.errors import ResultError
from bioae.hdf5 import guard, inspection
from bioae.simulation.results.netcdf import write_result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A result as a stranger could have written it, next to a pipe that nobody writes to."""
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    os.mkfifo(tmp_path / "secret")  # whoever opens it waits for ever
    return path


@pytest.mark.parametrize("case", cases())
def test_what_no_result_needs_is_refused(case: str, path: Path) -> None:
    change, message = cases()[case]
    inspected(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(inspection.Refused, match=message):
        inspected(path)


def test_the_limit_of_zlib_is_that_of_archives() -> None:
    assert inspection._MOST_INFLATED == archives.MOST_INFLATED  # one imports nothing of bioae


def inspected(path: Path) -> None:
    with path.open("rb") as file:
        for chunk in inspection.deflated_chunks(path):
            inspection.inflate(file, chunk)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_refusal_is_one_line(path: Path, lazy: bool) -> None:
    with h5py.File(path, "r+") as file:
        virtual(file)
    with pytest.raises(ResultError, match=r"r.nc: the file cannot .*input are in another file"):
        open_result(path, lazy=lazy)


@pytest.mark.parametrize("lazy", [False, True])
def test_axes_without_names_that_do_not_fit(path: Path, lazy: bool) -> None:
    with h5py.File(path, "r+") as file:
        del file["input"]
        file["input"], file["more"] = np.zeros((12, 12, 12)), np.zeros(2)
    guard.trust(path)
    with pytest.raises(ResultError, match=r"r.nc: (the file cannot be read|'input' is missing)"):
        open_result(path, lazy=lazy)


def test_a_file_that_xarray_wrote_is_read(path: Path) -> None:
    tree = example_result()
    plain = {"zlib": True, "shuffle": False, "chunksizes": (5, 12, 12)}
    encoding = {"/": {"input": {"zlib": True}, "reconstruction": plain}}
    other = path.with_name("other.nc")
    tree.to_netcdf(other, engine="h5netcdf", encoding=encoding)
    xr.testing.assert_identical(open_result(other), tree)


def test_what_this_process_wrote_is_not_inspected(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inspect(path: str, where: str) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(guard, "_inspect", inspect)
    assert open_result(path).equals(example_result())
    path.write_bytes(path.read_bytes())
    with pytest.raises(ResultError, match="cannot be read"):
        open_result(path)


def test_an_inspection_that_has_begun_counts_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(path.read_bytes())
    guard.begin_inspection(path)
    with monkeypatch.context() as patch:
        patch.setattr(guard, "_run", None)
        assert open_result(path).equals(example_result())
    with h5py.File(path, "r+") as file:
        virtual(file)
    guard.begin_inspection(path)
    guard.begin_inspection(path.with_name("missing.nc"))
    for _ in range(2):
        with pytest.raises(ResultError, match="are in another file"):
            open_result(path)


def test_a_file_that_is_opened_again_is_inspected_again(path: Path) -> None:
    other = path.with_name("other.nc")
    write_result(example_result(), other)
    with h5py.File(other, "r+") as file:
        virtual(file)
    tree = open_result(path, lazy=True)
    tree.close()
    other.replace(path)
    # xarray opens the file again, as it also does after it has opened many others.
    with pytest.raises(ResultError, match="are in another file"):
        tree["input"].to_numpy()


@pytest.mark.parametrize("name", ["more", "layers/more", "layers/latent/more", "a/b/more"])
@pytest.mark.parametrize("whole", [True, False])
def test_what_no_result_has_is_not_read(name: str, whole: bool, path: Path) -> None:
    size, options = 2**21, {"dtype": "f8", "chunks": (2**18,), "compression": "gzip"}
    with h5py.File(path, "r+") as file:
        if not whole:
            for each in list(file):
                del file[each]
        made = file.create_dataset(name, (size,), **options)
        block = zlib.compress(bytes(2**21))
        for start in range(0, size, 2**18):
            made.id.write_direct_chunk((start,), block)
        made.make_scale()
        if not whole:
            file.attrs.clear()
    guard.trust(path)
    tracemalloc.start()
    try:
        if whole:
            assert open_result(path).identical(example_result())
        else:
            with pytest.raises(ResultError, match="not the result of a simulation"):
                open_result(path)
        assert tracemalloc.get_traced_memory()[1] < 8 * size / 2
    finally:
        tracemalloc.stop()


def test_inflating_is_within_the_limit_of_time(path: Path) -> None:
    script = """
import sys, time
from bioae.hdf5 import inspection
inspection._SECONDS = 0.2
inspection.inflate = lambda *_: time.sleep(60)
sys.exit(inspection.main())
"""
    command = [sys.executable, "-c", script, str(path)]
    assert subprocess.run(command, timeout=50, check=False).returncode == -signal.SIGALRM


def test_a_library_that_loops_or_crashes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = path.with_name("script.py")
    monkeypatch.setattr(guard, "_SCRIPT", script)
    path.write_bytes(path.read_bytes())
    for code, reason in (
        ("import signal; signal.alarm(1)\nwhile True: pass", "not read in time"),
        ("import os; os.kill(os.getpid(), 11)", "the HDF5 library fails"),
        ("import sys; sys.exit(1)", "too much memory"),
    ):
        script.write_text(code)
        with pytest.raises(ResultError, match=reason):
            open_result(path)
    monkeypatch.setattr(guard, "_START_SECONDS", -6)
    script.write_text("import signal; signal.pause()")
    with pytest.raises(ResultError, match="not read in time"):
        open_result(path)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system has no /proc")
def test_the_inspection_needs_little_memory(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        inflating_too_much(file)
    script = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    command = [sys.executable, "-c", script, inspection.__file__, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    reason, kilobytes = done.stdout.splitlines()
    assert (done.returncode, reason) == (1, "a compressed array has another size than declared")
    assert int(kilobytes) < 90_000
