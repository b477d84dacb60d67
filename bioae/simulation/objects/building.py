"""The Brian2 objects of a network in any form, for users who add their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import get_args

from bioae.checks import one_of, whole
from bioae.networks.network import Network
from bioae.networks.trained.loading import NetworkLike, network_of
from bioae.simulation.backend import Connectivity, check_record, record_names
from bioae.simulation.learned import learner
from bioae.simulation.objects.brian_network import BrianNetwork
from bioae.simulation.targets.activation import without_fast_math

__all__ = ["build"]


def build(
    network: NetworkLike,
    presentations: int = 1,
    *,
    record: Collection[str] | Mapping[str, Collection[str]] = (),
    connectivity: Connectivity = "shared",
    compact: bool = False,
    prefix: str = "",
    learning: bool = False,
) -> BrianNetwork:
    """Make Brian2 objects of a network, on the active device.

    Two optimisations that reorder arithmetic are switched off for the session: Brian2's of loop
    invariants, as constant subexpressions have already been taken out of the equations, and the
    compiler's ``-ffast-math``.

    Parameters
    ----------
    network
        The network; or an artefact, or the path or name of a trained network.
    presentations
        The number of presentations of one run.
    record
        Variables to record at the end of each step, in the layers that have them; or those of
        each layer, by its name.
    connectivity
        ``"shared"`` keeps each weight once, as `bioae.simulation.sharing.SharedSynapses`;
        ``"unrolled"`` creates a `brian2.Synapses` synapse per connection. Pathways whose
        connections differ in delay are always unrolled. Spikes are the same.
    compact
        Whether to record spikes with `bioae.simulation.code_runners.SpikeRecorder`, in a fifth of
        the memory, instead of a `brian2.SpikeMonitor` per layer.
    prefix
        Prefix of all objects' names, where several networks share a project.
    learning
        Whether the weights of layers with a synapse model learn while the network runs. They begin
        on the grid of weights that learn, as in `bioae.learn`.

    Returns
    -------
    BrianNetwork

    Raises
    ------
    ArtefactError
        If there is no trained network of this name or at this path.
    InputError
        If an argument does not fit, or the network has nothing to learn.
    """
    one_of(connectivity, "connectivity", get_args(Connectivity))
    without_fast_math()
    source = network_of(network)
    source = learner(source) if learning else source
    record = _recorded(record, source)
    return BrianNetwork(
        source, whole(presentations, "presentations", least=1),
        connectivity=connectivity, compact=compact, prefix=prefix, record=record, learning=learning,
    )  # fmt: skip


def _recorded(
    record: Collection[str] | Mapping[str, Collection[str]], network: Network
) -> Collection[str] | dict[str, Collection[str]]:
    """Return the variables to record, or refuse those that no layer has."""
    placed = {each.name: each for each in network.config.placed}
    if not isinstance(record, Mapping):
        names = record_names(record)
        check_record(names, placed.values())
        return names
    found = {}
    for layer, variables in record.items():
        one_of(layer, "record", tuple(placed))
        found[layer] = record_names(variables)
        check_record(found[layer], [placed[layer]], where=f"record, layer {layer!r}")
    return found
