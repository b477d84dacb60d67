"""``tree.bioae`` has every function of a result, with its text, and only passes the result on."""

from __future__ import annotations

import copy
import inspect
import pickle  # noqa: TID251  (as results are sent to workers)
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from bioae import analysis
from bioae.simulation.results.netcdf import write_result


@pytest.fixture(scope="module")
def result() -> xr.DataTree:
    return analysis.example_result()


def of(tree: xr.DataTree) -> Any:
    """Return the attribute, which a type checker does not know."""
    return tree.bioae  # type: ignore[attr-defined]


def offered(tree: xr.DataTree) -> list[str]:
    return dir(of(tree))


def first_parameter(name: str) -> inspect.Parameter | None:
    function = getattr(analysis, name)
    if not inspect.isfunction(function):
        return None
    return next(iter(inspect.signature(function).parameters.values()), None)


def test_it_offers_exactly_the_exported_functions_of_a_result(result: xr.DataTree) -> None:
    first = {name: first_parameter(name) for name in analysis.__all__}
    trees = {name for name, each in first.items() if each is not None and each.name == "tree"}
    trees.remove("check_result")
    pairs = {"compare", "differing_spikes"}  # a, b
    changes = {"firing_change", "reconstruction_change", "score_change"}  # before, after
    assert len(trees) > 60
    assert set(offered(result)) == trees | pairs | changes
    # Of samples and of trains, not of results.
    others = {"kolmogorov_smirnov", "compare_values", "isi_distance", "references", "plots"}
    assert others <= set(analysis.__all__)
    assert not others & set(offered(result))


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("isi_cv", ("latent",), {}),
        ("firing_rate", ("conv",), {"dims": ("example", "neuron")}),
        ("spike_count", ("output",), {"dims": "example"}),
        ("fit_rates", ("conv",), {}),
        ("statistics", (), {}),
        ("statistics", (), {"bursting_threshold": 0.9}),
        ("reconstruction_errors", (), {}),
        ("raster", ("latent",), {"example": 103}),
    ],
)
def test_it_returns_what_the_function_returns(
    result: xr.DataTree, name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    found = getattr(of(result), name)(*arguments, **options)
    expected = getattr(analysis, name)(result, *arguments, **options)
    assert expected.sizes or float(expected) != 0
    xr.testing.assert_identical(found, expected)


def test_it_passes_the_result_on_as_the_first_of_two(result: xr.DataTree) -> None:
    other = analysis.example_result(seed=1)
    found = of(result).compare(other, resamples=50)
    xr.testing.assert_identical(found, analysis.compare(result, other, resamples=50))
    assert float(np.abs(found["difference"]).max()) > 0
    xr.testing.assert_identical(
        of(result).firing_change(other), analysis.firing_change(result, other)
    )


def test_every_method_has_the_text_and_the_signature_without_the_result(
    result: xr.DataTree,
) -> None:
    for name in offered(result):
        method, function = getattr(of(result), name), getattr(analysis, name)
        assert method.__doc__ == function.__doc__
        assert method.__doc__, name
        own, whole = (list(inspect.signature(each).parameters) for each in (method, function))
        assert own == whole[1:], name


def test_an_unknown_name_is_refused_with_the_closest_one(result: xr.DataTree) -> None:
    with pytest.raises(AttributeError, match=r"no function 'isi_cvv' .*mean 'isi_cv'\?$"):
        of(result).isi_cvv  # noqa: B018
    with pytest.raises(AttributeError, match=r"no function 'zzzzzz' .*dir\(tree\.bioae\)"):
        of(result).zzzzzz  # noqa: B018
    with pytest.raises(AttributeError, match=r"'references' .* use bioae\.analysis\.references"):
        of(result).references  # noqa: B018
    assert not hasattr(of(result), "_repr_html_")


def test_a_result_is_copied_and_pickled_with_it(result: xr.DataTree) -> None:
    assert of(result) is of(result)
    for again in (copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert of(again) is not of(result)
        xr.testing.assert_identical(of(again).isi_cv("conv"), of(result).isi_cv("conv"))
    few = result.isel(example=slice(3))
    assert of(few).spike_count("conv").sizes["example"] == 3


def test_its_text_is_short(result: xr.DataTree) -> None:
    assert f"{len(offered(result))} functions" in repr(of(result))
    assert "\n" not in repr(of(result))


@pytest.mark.medium
def test_opening_a_result_is_enough(tmp_path: Path, result: xr.DataTree) -> None:
    path = tmp_path / "result.nc"
    write_result(result, path)
    code = (
        "import sys, bioae.analysis\n"
        f"tree = bioae.analysis.open_result({str(path)!r})\n"
        "print(tree.bioae.layer_names())\n"
        "print(sorted({'torch', 'brian2', 'matplotlib', 'sklearn'} & set(sys.modules)))\n"
        "dir(tree.bioae)\n"
        "print(sorted({'torch', 'brian2', 'matplotlib', 'sklearn'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split("\n")[:3] == ["['conv', 'latent', 'output']", "[]", "[]"]


@pytest.mark.medium
def test_importing_bioae_leaves_xarray_to_its_first_use() -> None:
    code = "import sys, bioae; print('xarray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
