"""The experiments that exist: the files of the folder `experiments/`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import experiments
from bioae.documents import read_toml
from bioae.errors import InputError, did_you_mean
from experiments.runner.experiment import Experiment

__all__ = ["available", "load"]


def available() -> list[str]:
    """Return the names of all experiments."""
    modules = iter_modules(experiments.__path__)
    return sorted(each.name for each in modules if not each.ispkg and each.name != "__main__")


def load(name: str) -> Experiment:
    """Import an experiment.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    names = available()
    if name not in names:
        raise InputError(
            f"there is no experiment {name!r}",
            expected=f"list, or one of {', '.join(names)}",
            hint=did_you_mean(name, names, shown=str),
        )
    module = import_module(f"{experiments.__name__}.{name}")
    experiment: Experiment = module.EXPERIMENT
    file = Path(str(module.__file__))
    return replace(experiment, name=name, recipe=_hash_of_recipe(file), notes=_notes(file))


def _notes(module: Path) -> str:
    path = module.with_suffix(".md")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _hash_of_recipe(module: Path) -> str | None:
    path = module.with_suffix(".toml")
    if not path.is_file():
        return None
    text = json.dumps(read_toml(path, "recipe", error=InputError), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
