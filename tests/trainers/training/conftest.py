"""The small network of the training tests."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).with_name("small_run.py")


@pytest.fixture(scope="session")
def small_run() -> ModuleType:
    """The module `small_run`."""
    spec = importlib.util.spec_from_file_location("small_run", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
