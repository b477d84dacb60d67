"""What a decoder reads of the read-out, collected within a presentation and kept at its end."""

from __future__ import annotations

from brian2.utils.stringtools import word_substitute

from bioae.equations.model import RESERVED_PREFIX
from bioae.networks.decoders import Decoder
from bioae.networks.schedule import Timing
from bioae.simulation.code_runners import ConditionalRunner, ValueRecorder
from bioae.simulation.objects.population import Population
from bioae.simulation.objects.presentation_clock import PRESENTATION, STEP

__all__ = ["collect"]

KEPT = f"{RESERVED_PREFIX}kept"


def collect(readout: Population, potential: str, decoder: Decoder, timing: Timing) -> ValueRecorder:
    """Let a read-out collect its potential, and return what keeps it, a row a presentation.

    Parameters
    ----------
    readout
        The read-out's neurons.
    potential
        The variable that is the potential U.
    decoder
        What is collected.
    timing
        Where presentations lie in the run.
    """
    readout.variables.add_array(KEPT, size=len(readout))
    terms = {"kept": KEPT, "potential": potential}
    ConditionalRunner(
        readout, f"{STEP} == 0", f"{KEPT} = {decoder.start}",
        when="before_start", name=f"{readout.name}__collects_from",
    )  # fmt: skip
    ConditionalRunner(
        readout, f"{STEP} >= 0", f"{KEPT} = {word_substitute(decoder.collects, terms)}",
        when="end", name=f"{readout.name}__collects",
    )  # fmt: skip
    return ValueRecorder(
        readout, KEPT, f"{PRESENTATION} >= 0 and {STEP} == {timing.steps - 1}",
        when="end", order=10, name=f"{readout.name}__collected",
    )  # fmt: skip
