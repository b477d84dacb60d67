"""Conventional networks and trivial predictors, to compare spiking networks with.

A new kind is a table in `kinds`, and a class of `ConventionalModule` or `Baseline`.
"""

__all__: list[str] = []
