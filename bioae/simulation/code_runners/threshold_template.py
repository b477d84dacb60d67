"""Let what Brian2 runs take a template of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brian2.groups.group import CodeRunner

from bioae.simulation.sharing import code_object_class

__all__ = ["quicken", "take_template"]


def quicken(thresholds: Mapping[str, CodeRunner]) -> None:
    """Let a group's thresholds look for spikes without a branch for each neuron, in C++.

    On CUDA, whose thresholds work otherwise, they stay Brian2's.
    """
    for thresholder in thresholds.values():
        take_template(thresholder, "quick_threshold")


def take_template(runner: CodeRunner, template: str) -> None:
    """Let something that runs code take a template of this package, on targets that have it."""
    make, chosen, own = runner.create_default_code_object, runner.codeobj_class, runner.template

    def create_default_code_object(run_namespace: Mapping[str, Any]) -> Any:
        derived = code_object_class(__package__, chosen)
        known = hasattr(derived.templater, template)
        runner.codeobj_class = derived if known else chosen
        runner.template = template if known else own
        return make(run_namespace)

    runner.create_default_code_object = create_default_code_object
