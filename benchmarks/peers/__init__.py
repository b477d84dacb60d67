"""Peers: the same network in other libraries, for comparison.

Each library has a file, imported on first use. ``pip install '.[benchmarks]'``
installs the libraries; only the benchmarks use them.
"""

from __future__ import annotations

from importlib import import_module

from benchmarks.peers.common import Outcome, PeerNetwork
from bioae.networks import Network

__all__ = ["PEERS", "Outcome", "PeerNetwork", "build"]

#: The libraries, by the name of the file and of the package.
PEERS = ("snntorch", "spikingjelly", "norse")


def build(peer: str, network: Network) -> PeerNetwork:
    """Return a network in another library, with the same weights.

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
        If the network has layers that the peers lack.
    """
    built: PeerNetwork = import_module(f"benchmarks.peers.{peer}").build(network)
    return built
