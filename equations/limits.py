"""The limit of numbers in models."""

from __future__ import annotations

#: The largest constant or value of a timed array, in base units: it fits 32 bits.
LARGEST_VALUE = 3e38
