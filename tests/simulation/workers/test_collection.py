"""Runs are spared the collection of garbage with which Brian2 begins them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from bioae.simulation.workers.job import _uncollected


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Collect nothing by chance."""
    enabled, frozen = gc.isenabled(), gc.get_freeze_count() > 0
    gc.disable()
    gc.unfreeze()
    yield
    if frozen:
        gc.freeze()
    if enabled:
        gc.enable()


def _interrupted() -> None:
    with _uncollected():
        gc.collect()
        raise KeyboardInterrupt


def test_garbage_from_before_a_run_is_collected_after_it() -> None:
    garbage = weakref.ref(_Cycle())
    assert garbage() is not None
    with pytest.raises(KeyboardInterrupt):
        _interrupted()
    assert gc.get_freeze_count() == 0
    assert garbage() is not None
    gc.collect()
    assert garbage() is None


def test_objects_that_someone_else_froze_stay_so() -> None:
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        assert count > 0
        with _uncollected():
            pass
        # Objects may have ended, but none was thawed.
        assert gc.get_freeze_count() > 0.9 * count
    finally:
        gc.unfreeze()
