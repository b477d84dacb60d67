"""Results from strangers: nothing but the file is read, and no more than it holds."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr

from bioae.analysis import example_result, open_result
from bioae.errors import ResultError
from bioae.simulation.results import guard, inspection
from bioae.simulation.results.netcdf import write_result

Change = Callable[[h5py.File], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A result as a stranger could have written it, next to a pipe that nobody writes to."""
    path = tmp_path / "r.nc"
    write_result(example_result(), path)
    os.mkfifo(tmp_path / "secret")  # whoever opens it waits for ever
    return path


def replaced(**options: Any) -> Change:
    """Replace the variable `input` by another of the same shape."""

    def change(file: h5py.File) -> None:
        shape, dtype = file["input"].shape, file["input"].dtype
        del file["input"]
        file.create_dataset("input", **{"shape": shape, "dtype": dtype, **options})

    return change


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(file["input"].shape, "f8")
    layout[...] = h5py.VirtualSource("secret", "input", file["input"].shape)
    del file["input"]
    file.create_virtual_dataset("input", layout)


def linked(link: object) -> Change:
    def change(file: h5py.File) -> None:
        del file["input"]
        file["input"] = link

    return change


def compressed_too_much(file: h5py.File) -> None:
    """Declare blocks of 8 MB, and store a few bytes for each."""
    options: dict[str, Any] = {"chunks": (1, 1000, 1000), "compression": "gzip"}
    made = file.create_dataset("more", (12, 1000, 1000), "f8", **options)
    for example in range(12):
        made.id.write_direct_chunk((example, 0, 0), zlib.compress(b"\0"))


def inflating_too_much(file: h5py.File) -> None:
    """Store a block that inflates to 50 MB where 14 kB are declared."""
    options: dict[str, Any] = {"chunks": (12, 12, 12), "compression": "gzip"}
    made = file.create_dataset("more", (12, 12, 12), "f8", **options)
    made.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(50_000_000), 9))


def missing_block(file: h5py.File) -> None:
    replaced(chunks=(1, 12, 12))(file)
    file["input"][:11] = 0


def circle(file: h5py.File) -> None:
    file["layers/again"] = file["layers"]


def text_of_variable_length(file: h5py.File) -> None:
    file.create_dataset("names", data=["a", "b"], dtype=h5py.string_dtype())


def foreign_reference(file: h5py.File) -> None:
    reference = file["example"].ref
    del file["layers/latent/spike_count"].attrs["DIMENSION_LIST"]
    kind = h5py.vlen_dtype(h5py.ref_dtype)
    values = np.empty(2, object)
    hidden = file.create_group(None)  # without a name
    values[:] = [np.array([hidden.ref], h5py.ref_dtype), np.array([reference], h5py.ref_dtype)]
    file["layers/latent/spike_count"].attrs.create("DIMENSION_LIST", values, dtype=kind)


CASES: dict[str, tuple[Change, str]] = {
    "external storage": (
        replaced(external=[("secret", 0, h5py.h5f.UNLIMITED)]),
        "/input are in another file",
    ),
    "a virtual array": (virtual, "/input are in another file"),
    "an external link": (linked(h5py.ExternalLink("secret", "/input")), "a link to another place"),
    "a soft link": (linked(h5py.SoftLink("/reconstruction")), "a link to another place"),
    "a second name": (linked("again"), "holds no numbers"),
    "a circle": (circle, "/layers/again has two names"),
    "no storage": (replaced(), "/input declares 13824 bytes and has none"),
    "no blocks": (replaced(chunks=(1, 12, 12)), "/input declares 12 blocks and has 0"),
    "a missing block": (missing_block, "/input declares 12 blocks and has 11"),
    "a huge array": (
        replaced(shape=(10**10,), chunks=(10**6,)),
        "/input declares 10000 blocks and has 0",
    ),
    "compressed too much": (compressed_too_much, "declares blocks of 8000000 bytes, with 9"),
    "inflating too much": (inflating_too_much, "another size than declared"),
    "another filter": (replaced(compression="lzf"), "/input is compressed in an unknown way"),
    "a checksum": (replaced(fletcher32=True), "/input is compressed in an unknown way"),
    "text of variable length": (text_of_variable_length, "/names holds no numbers"),
    "named types": (lambda file: file.__setitem__("t", np.dtype("f8")), "neither a group nor"),
    "a reference elsewhere": (foreign_reference, "a reference leads to something else"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_no_result_needs_is_refused(case: str, path: Path) -> None:
    change, message = CASES[case]
    inspected(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(inspection.Refused, match=message):
        inspected(path)


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


def test_a_file_that_xarray_wrote_is_read(path: Path) -> None:
    for number, options in enumerate([{}, {"zlib": True}, {"zlib": True, "shuffle": False}]):
        tree = example_result()
        encoding = {"/": {"input": options}} if options else {}
        other = path.with_name(f"{number}.nc")
        tree.to_netcdf(other, engine="h5netcdf", encoding=encoding)
        xr.testing.assert_identical(open_result(other), tree)


def test_what_this_process_wrote_is_not_inspected(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def inspect(path: str) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(guard, "_inspect", inspect)
    assert open_result(path).equals(example_result())
    path.write_bytes(path.read_bytes())
    with pytest.raises(ResultError, match="cannot be read"):
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
