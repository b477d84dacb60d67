"""Names of Brian2 objects that depend on nothing that was made before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brian2.core.names import Nameable
from brian2.core.tracking import InstanceTrackerSet, Trackable

__all__ = ["names_anew"]


@contextmanager
def names_anew() -> Iterator[None]:
    """Name objects within the block as in a new process.

    Brian2 avoids the names of all objects that are still there, whoever keeps them, though names
    have to be unique in a network alone. A standalone project whose names differ is another one,
    which would be compiled anew.
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
