"""Groups, their variables and names, and the code that Brian2 runs for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import BrianObject, Group, Network, NeuronGroup, second
from brian2.codegen.runtime.cython_rt.extension_manager import get_cython_cache_dir
from brian2.core.names import Nameable
from brian2.core.tracking import InstanceTrackerSet, Trackable
from brian2.core.variables import Variable, Variables
from brian2.devices.device import get_device
from brian2.groups.group import CodeRunner


def ieee_cache() -> str:
    """Return the folder of modules that Cython compiled without -ffast-math."""
    folder = Path(get_cython_cache_dir())
    return str(folder if folder.name == "ieee" else folder / "ieee")


@contextmanager
def fresh_names() -> Iterator[None]:
    """Name objects within the block as in a new process.

    Brian2 avoids the names of all objects that still exist, although names need to be unique only
    within a network. Other names give other sources, and a project would be compiled again.
    """
    sets = Trackable.__instancefollower__.instance_sets
    before = sets[Nameable]
    sets[Nameable] = InstanceTrackerSet()
    try:
        yield
    finally:
        inside, sets[Nameable] = sets[Nameable], before
        for reference in tuple(inside):
            named = reference()
            if named is not None:
                before.add(named)


@contextmanager
def float32_allowed() -> Iterator[None]:
    """Ignore the warning that 1e50, with which Brian2 compares states, is too large for float32."""
    with warnings.catch_warnings():
        module = r"brian2\.groups\.group"
        warnings.filterwarnings("ignore", "overflow encountered in cast", module=module)
        yield


def mark_as_run(part: BrianObject, network: Network) -> None:
    """Keep Brian2 from warning, when an object is deleted, that it was never run."""
    part._network = network.id


def uncompiled_objects(network: Network) -> list[str]:
    """Return the names of the objects whose code Cython could not compile, and Brian2 left out."""
    return [
        part.name
        for part in network.sorted_objects
        for code in getattr(part, "code_objects", ())
        for block, compiled in code.compiled_code.items()
        if compiled is None and _has_code(getattr(code.code, block, ""))
    ]


def _has_code(block: str) -> bool:
    return bool(block.strip()) and "EMPTY_CODE_BLOCK" not in block


def is_shared_variable(variable: object) -> bool:
    """Return whether an entry of a group's variables is one value for all of its neurons."""
    return isinstance(variable, Variable) and bool(variable.scalar)


class VariablesGroup(NeuronGroup):  # type: ignore[misc]
    """A `NeuronGroup` with variables that its equations use and do not declare.

    Subclasses add them in `_add_variables`, which runs before any code of the group is made.
    """

    def _create_variables(self, user_dtype: Any, events: list[str]) -> None:
        super()._create_variables(user_dtype, events)
        self._add_variables(self._N)

    def _add_variables(self, size: int) -> None:
        """Add variables to a group of `size` neurons."""


def replace_time(group: VariablesGroup) -> None:
    """Give a group its own ``t`` instead of the clock's: for `VariablesGroup._add_variables`."""
    del group.variables._variables["t"]
    group.variables.add_array("t", size=1, dimensions=second.dim, dtype=np.float64, scalar=True)


def set_subexpression_code(group: NeuronGroup, code: str) -> None:
    """Replace the code that sets a group's subexpressions that are constant over a time step."""
    if group.subexpression_updater is not None:
        group.subexpression_updater.abstract_code = code
        group.subexpression_updater.check_units = False


def set_refractory_code(group: NeuronGroup, code: str) -> None:
    """Replace the code that sets ``not_refractory`` in a group's state update."""
    group.state_updater._get_refractory_code = lambda *_, **__: code


def skip_unit_checks(*runners: CodeRunner) -> None:
    """Switch off the checks of units of these code runners."""
    for runner in runners:
        runner.check_units = False


def code_object_class(package: str, chosen: Any = None) -> Any:
    """Return the active target's class of code objects, or another, with a package's templates."""
    return _derived(get_device().code_object_class(chosen), package)


@cache
def _derived(base: Any, package: str) -> Any:
    # A subclass, so that Brian2's own objects do not see these templates.
    templater = base.templater.derive(package)
    return type(f"Derived{base.__name__}", (base,), {"templater": templater})


def _has_template(chosen: Any, name: str) -> bool:
    try:
        getattr(chosen.templater, name)
    except (AttributeError, KeyError):  # KeyError: until Brian2 2.9
        return False
    return True


class TemplateRunner(CodeRunner):  # type: ignore[misc]
    """Code that a group runs, with a template of a package; arguments as for `CodeRunner`."""

    #: The package of the class, with the template in its folder `templates`.
    _template_package: str

    #: A class of code objects to use instead of the target's.
    _chosen_class: Any = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if TemplateRunner in cls.__bases__ or TemplateGroup in cls.__bases__:  # others inherit it
            cls._template_package = cls.__module__.rpartition(".")[0]

    def __init__(
        self, group: Group, template: str, code: str | Mapping[str, str], **options: Any
    ) -> None:
        super().__init__(
            group, template, code=code, clock=group.clock, check_units=False, **options
        )
        self._chosen_class = group.codeobj_class
        group.contained_objects.append(self)

    def create_default_code_object(self, run_namespace: Mapping[str, Any]) -> Any:
        """Make the code object for the target that is active when code is generated."""
        self.codeobj_class = code_object_class(self._template_package, self._chosen_class)
        return super().create_default_code_object(run_namespace)


class TemplateGroup(Group, TemplateRunner):  # type: ignore[misc]
    """A Brian2 object with variables, and with code from a template of a package.

    Make the object, add to its `variables`, then call `_run_template`.
    """

    def __init__(self, name: str) -> None:
        Nameable.__init__(self, name=name)
        self.codeobj_class = None
        self.variables = Variables(self)

    def _run_template(
        self,
        template: str,
        code: str | Mapping[str, str],
        *dependencies: Group,
        template_kwds: Mapping[str, Any],
        **options: Any,
    ) -> None:
        """Run a template in each step; options as for `CodeRunner`.

        The groups that it depends on have to be in the same network.
        """
        # It has a name.
        CodeRunner.__init__(
            self, self, template, code=code, name=None, template_kwds=dict(template_kwds), **options
        )
        for group in dependencies:
            self.add_dependency(group)
        self._enable_group_attributes()


def use_template(runner: CodeRunner, package: str, template: str) -> None:
    """Give a `CodeRunner` of Brian2's a template of a package, on the targets that have it."""
    make, chosen, default = runner.create_default_code_object, runner.codeobj_class, runner.template

    def create_default_code_object(run_namespace: Mapping[str, Any]) -> Any:
        derived = code_object_class(package, chosen)
        exists = _has_template(derived, template)
        runner.codeobj_class = derived if exists else chosen
        runner.template = template if exists else default
        return make(run_namespace)

    runner.create_default_code_object = create_default_code_object
