"""Contract with Brian2's internals: each test names a private part that bioae relies on.

A test that fails with a new Brian2 names what has changed. `make test-brian2` runs them with every
supported release; only `bioae.simulation.brian2_internals` has to be adapted. The contract
of `bioae.equations.lowering.probing` is in `tests/equations/lowering`.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from inspect import signature
from pathlib import Path
from typing import Any

import brian2
import numpy as np
import pytest
from brian2 import Clock, Network, NeuronGroup, SpikeMonitor, TimedArray, get_device, ms
from brian2.utils.logger import catch_logs
from import_graph import LINKED, Sources

from bioae.simulation.brian2_internals import groups
from bioae.simulation.brian2_internals.sources import merge_cpp_sources, prepare_cpp_makefile
from bioae.simulation.brian2_internals.standalone import active_target
from bioae.simulation.targets.activation import Target, activated

TEMPLATES = "bioae.simulation.code_runners"


@pytest.fixture(params=("numpy", "cython", "cpp_standalone"))
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    with activated(request.param):
        yield request.param


@pytest.fixture
def numpy() -> Iterator[None]:
    with activated("numpy"), catch_logs():
        yield


class Extended(groups.VariablesGroup):
    """A group with a variable that its equations use, and with its own time."""

    def _add_variables(self, size: int) -> None:
        groups.replace_time(self)
        self.variables.add_array("x", size=size)


def group(cls: type[NeuronGroup] = NeuronGroup, **options: Any) -> NeuronGroup:
    clock = Clock(1 * ms, name="contract_clock")
    arguments = {"model": "v : 1", "threshold": "v > 0", "reset": "v = 0", **options}
    return cls(3, clock=clock, name="contract_group", namespace={}, **arguments)


def run(*parts: brian2.BrianObject, steps: int = 2) -> Network:
    network = Network(*parts)
    network.run(steps * ms, namespace={})
    return network


# Groups and variables.


def test_neuron_groups_create_their_variables_in_create_variables(numpy: None) -> None:
    assert list(signature(NeuronGroup._create_variables).parameters) == [
        "self", "user_dtype", "events"
    ]  # fmt: skip
    # And keep them in a dictionary underneath.
    extended = group(Extended, threshold="x > 1", reset="x = 0")
    assert extended.variables["t"].owner.name == extended.name
    extended.variables["x"].set_value(np.array([0.0, 2.0, 0.0]))
    extended.variables["t"].set_value(0.25)
    monitor = SpikeMonitor(extended, name="contract_monitor")
    run(extended, monitor)
    assert (list(monitor.i), monitor.variables["t"].get_value().tolist()) == ([1], [0.25])


def test_state_updaters_take_their_refractory_code_from_get_refractory_code(numpy: None) -> None:
    refractory = group(
        model="v : 1\ndw/dt = 0*Hz : 1 (unless refractory)", method="euler", refractory=5 * ms
    )
    groups.set_refractory_code(refractory, "not_refractory = v > 7\n")
    run(refractory)
    assert "not_refractory = v > 7" in refractory.state_updater.abstract_code
    assert not refractory.variables["not_refractory"].get_value().any()


# Names and networks.


def test_names_of_existing_objects_are_kept_by_the_instance_follower(numpy: None) -> None:
    first = Clock(1 * ms, name="contract_name*")
    with groups.fresh_names():
        assert Clock(1 * ms, name="contract_name*").name == first.name
    assert Clock(1 * ms, name="contract_name*").name != first.name


# Code objects and templates.


def test_devices_choose_a_class_of_code_objects_whose_templater_can_be_derived(
    target: Target,
) -> None:
    assert active_target() == target
    derived = groups.code_object_class(TEMPLATES)
    assert issubclass(derived, get_device().code_object_class())
    assert hasattr(derived.templater, "conditional")
    assert hasattr(derived.templater, "threshold")
    with pytest.raises((AttributeError, KeyError)):
        _ = get_device().code_object_class().templater.conditional


def test_brian2s_templates_have_the_blocks_that_ours_override(target: Target) -> None:
    templater = get_device().code_object_class().templater
    environment = templater.env
    common, threshold = (
        set(re.findall(r"{%-? *block +(\w+)", environment.loader.get_source(environment, name)[0]))
        for name in (f"{each}{templater.extension}" for each in ("common_group", "threshold"))
    )
    assert {"maincode", "before_code"} <= common
    assert "maincode" in threshold
    if target == "cpp_standalone":
        assert "extra_headers" in common
        assert "c_data_type" in environment.globals
    if target == "cython":
        assert "cpp_dtype" in environment.globals
    assert "autoindent" in environment.filters


def test_code_runners_make_their_code_in_create_default_code_object(numpy: None) -> None:
    assert list(signature(brian2.CodeRunner.create_default_code_object).parameters) == [
        "self", "run_namespace"
    ]  # fmt: skip
    spiking = group()
    spiking.variables["v"].set_value(np.array([0.0, 1.0, 0.0]))
    thresholder = spiking.thresholder["spike"]
    assert thresholder.template == "threshold"
    groups.use_template(thresholder, TEMPLATES, "vectorised_threshold")
    monitor = SpikeMonitor(spiking, name="contract_monitor")
    run(spiking, monitor)
    assert thresholder.template == "vectorised_threshold"
    assert type(thresholder.codeobj).__name__.startswith("Derived")
    assert list(monitor.i) == [1]


def test_code_objects_keep_their_compiled_blocks_in_compiled_code(numpy: None) -> None:
    part = group()
    network = run(part)
    assert groups.uncompiled_objects(network) == []
    code = part.thresholder["spike"].codeobj
    assert set(code.compiled_code) == {"before_run", "run", "after_run"}
    assert "EMPTY_CODE_BLOCK" in code.code.before_run
    code.compiled_code["run"] = None
    assert groups.uncompiled_objects(network) == [part.thresholder["spike"].name]


# Standalone devices and generated projects.


@pytest.fixture
def project(tmp_path: Path) -> Iterator[tuple[Any, Path, NeuronGroup]]:
    """A project that is written, of a program with an entry of each kind in the device's queue."""
    with activated("cpp_standalone") as device, catch_logs():
        values = TimedArray(np.zeros((3, 2)), 1 * ms, name="contract_values")
        part = NeuronGroup(
            3, "v : 1\ns : 1 (shared)", threshold="v > contract_values(t, 0)", reset="v = 0",
            namespace={"contract_values": values}, clock=Clock(1 * ms, name="contract_clock"),
            name="contract_group",
        )  # fmt: skip
        part.v = 0.5
        part.s = 0.125
        run(part, SpikeMonitor(part, name="contract_monitor"))
        device.build(directory=str(tmp_path), compile=False, run=False)
        yield device, tmp_path, part


def test_projects_contain_no_values(project: Any) -> None:
    _, folder, _ = project
    main = (folder / "main.cpp").read_text()
    assert "0.125" not in main
    assert "0.5" not in main
    assert "_static_array_reals[" in main
    reals = np.fromfile(folder / "static_arrays/_static_array_reals")
    assert {0.125, 0.5, 0.002} <= set(reals.tolist())


def test_projects_have_the_files_that_are_merged(project: Any) -> None:
    _, folder, _ = project
    listed = re.findall(r"^SRCS = (.*)$", (folder / "makefile").read_text(), re.MULTILINE)
    assert len(listed) == 1
    names = set(listed[0].split())
    assert {"objects.cpp", "run.cpp", "main.cpp", "network.cpp", "synapses_classes.cpp"} <= names
    code_objects = {name for name in names if name.startswith("code_objects/")}
    assert len(code_objects) >= 2
    for name in code_objects:
        source = (folder / name).read_text()
        assert "using namespace brian;" in source
        assert len(re.findall(r"^namespace \{", source, re.MULTILINE)) <= 1
    assert {"setup.cpp", "unit0.cpp"} <= set(merge_cpp_sources(folder))
    merged = (folder / "unit0.cpp").read_text()
    assert "namespace {" not in merged
    assert merged.count("namespace bioae_part0_") >= len(code_objects)


@pytest.mark.medium
@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_makefiles_take_flags_and_need_no_search_for_dependencies(project: Any) -> None:
    _, folder, _ = project
    sources = merge_cpp_sources(folder)
    prepare_cpp_makefile(folder, ["-DCONTRACT"])
    command = ["make", "-n", f"SRCS={' '.join(sources)}"]
    planned = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    compiled = [line for line in planned.stdout.splitlines() if "-DCONTRACT" in line]
    assert len(compiled) == len(sources)
    assert [line for line in compiled if "-O0" in line and "setup.cpp" in line]
    assert " -MM " not in planned.stdout


@pytest.mark.medium
def test_results_are_read_from_the_folder_of_the_last_run(project: Any) -> None:
    device, folder, part = project
    results = folder / "elsewhere"
    results.mkdir()
    name = Path(device.get_array_filename(part.variables["v"])).name
    np.array([1.0, 2.0, 3.0]).tofile(results / name)
    program = folder / "main"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    device.run(results_directory="elsewhere", with_output=False)
    assert part.variables["v"].get_value().tolist() == [1.0, 2.0, 3.0]


# No other folder uses them.

#: Documented functions and classes that `brian2` itself does not export.
DOCUMENTED = {
    "brian2",
    "brian2.core.functions",  # DEFAULT_CONSTANTS
    "brian2.core.namespace",  # DEFAULT_UNITS
    "brian2.devices.device",  # reset_device
    "brian2.units",
    "brian2.units.fundamentalunits",
    "brian2.utils.logger",  # catch_logs
    "brian2.utils.stringtools",
}
#: Equations import nothing of bioae but its errors, so they have separate files for private parts.
USERS = (
    "bioae.simulation.brian2_internals", "bioae.equations.lowering.probing",
    "bioae.equations.groups",
)  # fmt: skip
#: Documented methods of named tuples.
OF_TUPLES = {"_asdict", "_fields", "_replace"}


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """The files that may not use private parts."""
    sources = Sources()
    trees = {
        name: ast.parse(path.read_text(encoding="utf-8"))
        for name, path in sources.paths.items()
        if not name.startswith(USERS)
    }
    assert {name.split(".")[1] for name in trees if "." in name} > {*LINKED, "simulation"}
    assert len(trees) > 100
    return trees


@pytest.mark.medium
def test_no_other_folder_imports_undocumented_modules(trees: dict[str, ast.Module]) -> None:
    imports = {
        (file, name)
        for file, tree in trees.items()
        if not file.startswith("bioae.equations")  # their classes are in modules of Brian2
        for node in ast.walk(tree)
        for name in _imported(node)
        if re.match(r"brian2(\.|cuda|$)", name)
    }
    assert {name for _, name in imports} >= {"brian2"}
    allowed = DOCUMENTED | {"brian2cuda"}
    assert {(file, name) for file, name in imports if name not in allowed} == set()


@pytest.mark.medium
def test_no_other_folder_uses_private_attributes(trees: dict[str, ast.Module]) -> None:
    private = {
        (file, ast.unparse(node))
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[a-z]", node.attr)
        and ast.unparse(node.value) not in ("self", "cls", "super()")
        and (file.startswith("bioae.simulation") or node.attr not in OF_TUPLES | _defined(tree))
    }
    assert private == set()


def _defined(tree: ast.Module) -> set[str]:
    """Return the names of functions and annotated attributes that a file defines."""
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    annotated = {ast.unparse(n.target) for n in ast.walk(tree) if isinstance(n, ast.AnnAssign)}
    return functions | annotated


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
