"""The strategy that draws neuron models."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).with_name("models.py")


@pytest.fixture(scope="session")
def models() -> ModuleType:
    """The module `models.py` in this folder."""
    spec = importlib.util.spec_from_file_location("generated_models", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module
