"""Limits of models: the lengths of texts and tables of synapse models, and the size of numbers."""

from __future__ import annotations

#: The characters of one text, and of one name.
LONGEST_TEXT = 20_000
LONGEST_NAME = 100

#: The entries of a table, such as a model's parameters.
MOST_NAMES = 200

#: The largest constant or value of a timed array, in base units: it fits 32 bits.
LARGEST_VALUE = 3e38
