"""The same network in other libraries: what bioae is measured against.

One file a library, imported only where it is asked for. ``pip install 'bioae[benchmarks]'``
installs them; nothing but the benchmarks uses them.
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.peers.common import Outcome, PeerNetwork
from bioae.networks.network import Network

__all__ = ["PEERS", "Outcome", "PeerNetwork", "build"]

#: The libraries, by the name of the file and of the package.
PEERS = ("snntorch", "spikingjelly", "norse")


def build(peer: str, network: Network) -> PeerNetwork:
    """Return a network as a peer has it, with the weights of ours.

    Parameters
    ----------
    peer
        One of `PEERS`.
    network
        Layers of `lif` neurons without delays or recurrence, in the paper's order.

    Raises
    ------
    ImportError
        If the library is not installed.
    ValueError
        If the network is of another kind.
    """
    built: PeerNetwork = import_module(f"benchmarks.peers.{peer}").build(network)
    return built
