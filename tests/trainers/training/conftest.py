"""The small network that the training tests train."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).with_name("standin.py")


@pytest.fixture(scope="session")
def standin() -> ModuleType:
    """The module of the stand-in network."""
    spec = importlib.util.spec_from_file_location("standin", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
