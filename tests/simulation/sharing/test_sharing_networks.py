"""Networks keep each weight once where connections share it."""

from __future__ import annotations

import numpy as np
import pytest
from brian2 import Synapses
from network_cases import case

from bioae.api import build
from bioae.simulation.sharing import SharedSynapses
from bioae.simulation.targets.activation import activated


@pytest.mark.medium
def test_every_weight_is_kept_once_where_connections_share_a_delay() -> None:
    described = case("geometry, paper").network
    with activated("numpy"):
        for connectivity in ("shared", "unrolled"):
            built = build(described, connectivity=connectivity)
            assert built.synapses.keys() == {
                "a.weight", "b.weight", "b.recurrent", "c.weight", "d.weight", "e.weight"
            }  # fmt: skip
            for name, synapses in built.synapses.items():
                own_delays = name == "c.weight"
                kept_once = connectivity == "shared" and not own_delays
                assert isinstance(synapses, SharedSynapses if kept_once else Synapses)
                if kept_once:
                    weights = np.asarray(synapses.bioae_w)
                    np.testing.assert_array_equal(weights, described.weights[name].ravel())
            built.run()
