"""Limits of models: the lengths of texts and tables, and the size of numbers."""

from __future__ import annotations

#: The characters of one text, and of one name.
LONGEST_TEXT = 20_000
LONGEST_NAME = 100

#: The entries of a table, such as a model's parameters.
MOST_NAMES = 200

#: The custom events of a model.
MOST_EVENTS = 20

#: The largest constant or value of a timed array, in base units: it fits 32 bits.
LARGEST_VALUE = 3e38

#: The values of a timed array.
MOST_VALUES = 100_000

#: The values of all timed arrays of a model, which every artefact holds as text.
MOST_VALUES_IN_ALL = 200_000
