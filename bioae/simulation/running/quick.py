"""Let what Brian2 runs take a template of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brian2.groups.group import CodeRunner

from bioae.simulation.sharing import code_object_class

__all__ = ["quicken", "take_template"]


def quicken(thresholds: Mapping[str, CodeRunner]) -> None:
    """Let a group's thresholds look for spikes without a branch for each neuron, in C++."""
    for thresholder in thresholds.values():
        take_template(thresholder, "quick_threshold")


def take_template(runner: CodeRunner, template: str) -> None:
    """Let something that runs code take a template of this package, on whatever target."""
    make, chosen = runner.create_default_code_object, runner.codeobj_class

    def create_default_code_object(run_namespace: Mapping[str, Any]) -> Any:
        runner.codeobj_class = code_object_class(__package__, chosen)
        return make(run_namespace)

    runner.template = template
    runner.create_default_code_object = create_default_code_object
