"""Exports of `bioae.analysis`, and what they import."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from inspect import ismodule
from pathlib import Path
from pkgutil import walk_packages

import pytest

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
        "print(bioae.analysis.layer_names(tree))\n"
        "bioae.analysis.measure({'a': tree})\n"
        "print(sorted({'torch', 'brian2', 'matplotlib', 'sklearn'} & set(sys.modules)))\n"
        "bioae.analysis.plots.to_svg(bioae.analysis.plots.rasters(tree))\n"
        "print(sorted({'matplotlib', 'matplotlib.pyplot'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "r.nc")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["['conv', 'latent', 'output']", "[]", "['matplotlib']"]


def test_a_measure_without_a_layer_is_of_all_that_fire() -> None:
    tree = analysis.example_result()
    rates = analysis.firing_rate(tree, dims=("example", "neuron"))
    assert [*rates] == ["conv", "latent", "output"]
    for layer, rate in rates.items():
        assert float(rate) == pytest.approx(float(analysis.firing_rate(tree, layer).mean()))
