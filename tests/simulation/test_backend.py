"""Options of a simulation: checked once, compared by value, without an import of Brian2."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from bioae import Backend
from bioae.errors import BioaeError, InputError, TargetError


def test_a_target_is_a_backend() -> None:
    assert Backend.of("numpy") == Backend("numpy")
    backend = Backend("cython", record=["v"])
    assert Backend.of(backend) is backend
    assert Backend() == Backend("cpp_standalone", "float64", "shared", ())


def test_the_order_of_recorded_variables_does_not_matter() -> None:
    backends = [Backend(record=names) for names in (["v", "u"], ("u", "v", "u"), {"v", "u"})]
    assert {backend.record for backend in backends} == {("u", "v")}
    assert len(set(backends)) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "opencl"}, TargetError, "unknown target 'opencl'; expected one of numpy, "),
        ({"dtype": "float16"}, InputError, "expected float64 or float32; found 'float16'"),
        ({"connectivity": "all"}, InputError, "expected shared or unrolled; found 'all'"),
        ({"record": "v"}, InputError, r"expected a list of names, such as \['v'\]; found 'v'"),
        ({"record": None}, InputError, r"expected a list of names, such as \['v'\]; found None"),
        ({"record": ["v", 1]}, InputError, r"expected a list of names.*; found \['v', 1\]"),
        ({"record": [["v"]]}, InputError, "record does not fit; expected a list of names"),
        (
            {"record": {"latent": ["v"]}},
            InputError,
            "record does not fit; expected a list of names",
        ),
        ({"record": b"v"}, InputError, "record does not fit; expected a list of names"),
        ({"target": np.array(["numpy", "x"])}, TargetError, "unknown target array"),
        ({"dtype": np.float16}, InputError, "expected float64 or float32; found <class 'numpy.flo"),
        ({"dtype": np.dtype("int32")}, InputError, "expected float64 or float32; found dtype"),
    ],
    ids=str,
)
def test_other_options_are_refused(
    options: dict[str, Any], error: type[BioaeError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Backend(**options)


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_a_type_of_numpy_is_as_good_as_its_name(name: str) -> None:
    for dtype in (np.dtype(name), getattr(np, name)):
        assert Backend("numpy", dtype) == Backend("numpy", name)  # type: ignore[arg-type]
        assert type(Backend("numpy", dtype).dtype) is str


def test_it_needs_no_brian2() -> None:
    code = "import bioae, sys; bioae.Backend('numpy'); print('brian2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
