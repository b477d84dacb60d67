"""Results in the formats of other tools: pandas and CSV, Neo and elephant, NWB.

Each format is a file, and imports its library on use.
"""

from __future__ import annotations

from bioae.analysis.exports.frames import (
    layer_frame,
    neuron_frame,
    spike_frame,
    to_csv,
    to_pandas,
)
from bioae.analysis.exports.neo_blocks import to_neo
from bioae.analysis.exports.nwb_file import to_nwb

__all__ = ["layer_frame", "neuron_frame", "spike_frame", "to_csv", "to_neo", "to_nwb", "to_pandas"]
