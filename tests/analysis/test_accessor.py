"""Exports of `bioae.analysis`, and `tree.bioae`, which has every function of a result."""

from __future__ import annotations

import copy
import inspect
import pickle  # noqa: TID251  (as results are sent to workers)
import subprocess
import sys
from importlib import import_module
from inspect import ismodule
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
import xarray as xr

from bioae import analysis
from bioae.simulation.results.netcdf import write_result


def test_every_exported_name_is_there_and_is_what_its_module_defines() -> None:
    modules = [
        import_module(info.name) for info in walk_packages(analysis.__path__, "bioae.analysis.")
    ]
    assert modules
    assert len(analysis.__all__) > 30
    folders = {name for name in analysis.__all__ if ismodule(getattr(analysis, name))}
    assert folders == {"exports", "plots"}
    for name in set(analysis.__all__) - folders:
        assert any(vars(module).get(name) is getattr(analysis, name) for module in modules), name
    assert set(analysis.__all__) <= set(dir(analysis))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"No bioae\.analysis attribute nothing"):
        _ = analysis.nothing


@pytest.mark.medium
def test_reading_and_measuring_need_no_heavy_library_and_figures_no_pyplot(tmp_path: Path) -> None:
    write_result(analysis.example_result(), tmp_path / "r.nc")
    code = (
        "import sys, bioae.analysis\n"
        "tree = bioae.analysis.open_result(sys.argv[1])\n"
        "dir(tree.bioae), print(tree.bioae.layer_names())\n"
        "bioae.analysis.measure({'a': tree})\n"
        "print(sorted({'torch', 'brian2', 'matplotlib', 'sklearn'} & set(sys.modules)))\n"
        "bioae.analysis.plots.to_svg(bioae.analysis.plots.rasters(tree))\n"
        "print(sorted({'matplotlib', 'matplotlib.pyplot'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "r.nc")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["['conv', 'latent', 'output']", "[]", "['matplotlib']"]


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
    trees -= {"context_of", "blocks", "interval_sums"}  # parts of other measures
    pairs = {"compare", "differing_spikes"}  # a, b
    changes = {"firing_change", "score_change"}  # before, after
    assert len(trees) > 60
    assert set(offered(result)) == trees | pairs | changes | {"plot"}
    # Of samples and of trains, not of results.
    others = {"compare_values", "isi_distance", "references", "plots"}
    assert others <= set(analysis.__all__)
    assert not others & set(offered(result))


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("isi_cv", ("latent",), {}),
        ("firing_rate", ("conv",), {"dims": ("example", "neuron")}),
        ("reconstruction_errors", (), {}),
        ("firing_change", (analysis.example_result(1),), {}),
        ("compare", (analysis.example_result(1),), {"resamples": 50}),
    ],
)
def test_it_returns_what_the_function_returns(
    result: xr.DataTree, name: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    found = getattr(of(result), name)(*arguments, **options)
    expected = getattr(analysis, name)(result, *arguments, **options)
    assert expected.sizes or float(expected)
    xr.testing.assert_identical(found, expected)


def test_every_method_has_the_text_and_signature_without_the_result(result: xr.DataTree) -> None:
    for name in {*offered(result)} - {"plot"}:
        method, function = getattr(of(result), name), getattr(analysis, name)
        assert method.__doc__ == function.__doc__
        assert method.__doc__, name
        own, whole = (list(inspect.signature(each).parameters) for each in (method, function))
        assert own == whole[1:], name


def test_a_measure_without_a_layer_is_of_all_that_fire(result: xr.DataTree) -> None:
    rates = of(result).firing_rate(dims=("example", "neuron"))
    assert [*rates] == ["conv", "latent", "output"]
    for layer, rate in rates.items():
        assert float(rate) == pytest.approx(float(analysis.firing_rate(result, layer).mean()))


def test_an_unknown_name_is_refused_so_that_python_suggests_another(result: xr.DataTree) -> None:
    with pytest.raises(AttributeError, match=r"no function 'isi_cvv' of a result$") as refusal:
        of(result).isi_cvv  # noqa: B018
    assert refusal.value.name == "isi_cvv"
    assert "isi_cv" in dir(refusal.value.obj)
    with pytest.raises(AttributeError, match=r"'references' .* use bioae\.analysis\.references"):
        of(result).references  # noqa: B018
    assert not hasattr(of(result), "_repr_html_")


def test_a_result_is_copied_and_pickled_with_it(result: xr.DataTree) -> None:
    assert of(result) is of(result)
    for again in (copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert of(again) is not of(result)
        xr.testing.assert_identical(of(again).isi_cv("conv"), of(result).isi_cv("conv"))
    assert of(result.isel(example=slice(3))).spike_count("conv").sizes["example"] == 3


def test_figures_are_methods_of_their_own_attribute(result: xr.DataTree) -> None:
    others = {"print_style", "save_figure", "to_svg"}
    of_others = {
        "fit_profile", "fit_starts", "recordings", "training_curves", "weight_courses",
        "weight_histograms",
    }  # fmt: skip
    assert {*dir(of(result).plot)} == {*analysis.plots.__all__} - others - of_others
    assert of(result).plot.rasters(layers="conv").axes[0].lines
    with pytest.raises(AttributeError, match=r"analysis\.plots has no function 'raster' of a"):
        of(result).plot.raster  # noqa: B018
    with pytest.raises(AttributeError, match=r"use bioae\.analysis\.plots\.to_svg"):
        of(result).plot.to_svg  # noqa: B018
