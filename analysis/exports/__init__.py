"""Results in the formats of other tools: pandas and CSV, Neo and Elephant, NWB.

An export to a new format belongs here.
"""

from __future__ import annotations

from bioae.analysis.exports.frames import neuron_frame, spike_frame, to_csv, to_pandas
from bioae.analysis.exports.recordings import to_neo, to_nwb

__all__ = ["neuron_frame", "spike_frame", "to_csv", "to_neo", "to_nwb", "to_pandas"]
