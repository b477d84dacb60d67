"""What `bioae.trainers` offers can be imported, and every module says what it offers."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import bioae.trainers

MODULES = [module.name for module in pkgutil.iter_modules(bioae.trainers.__path__)]


def test_exports() -> None:
    assert bioae.trainers.__all__
    for name in bioae.trainers.__all__:
        assert getattr(bioae.trainers, name).__module__.startswith("bioae.trainers."), name
    with pytest.raises(AttributeError, match="nothing"):
        _ = bioae.trainers.nothing


@pytest.mark.parametrize("name", MODULES)
def test_modules_name_their_exports(name: str) -> None:
    module = import_module(f"bioae.trainers.{name}")
    assert module.__doc__
    assert [each for each in module.__all__ if not hasattr(module, each)] == []
