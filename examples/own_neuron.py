"""Write a neuron model, check it, and run a trained network with it.

    python examples/own_neuron.py                  an untrained network
    python examples/own_neuron.py MODEL            a trained one: its folder or .zip file

The model is in `own_neuron.toml`, next to this file: change it and run again. On the command line:

    bioae neurons check examples/own_neuron.toml
    bioae parity examples/own_neuron.toml
    bioae simulate MODEL --neuron examples/own_neuron.toml --out own.nc
"""

from __future__ import annotations

import sys
from pathlib import Path

import bioae

NEURON = Path(__file__).with_suffix(".toml")


def main(model: str | None = None) -> None:
    neuron = bioae.load_neuron(NEURON)
    print(neuron.description)

    # The PyTorch mirror, derived from the same text, fires the same spikes.
    parity = bioae.parity(neuron, neurons=20, steps=100)
    print(f"mirror against Brian2: {parity.spikes} spikes, {parity.differing} differ")

    network = _network(model)
    digits = bioae.datasets.load("sample", "test", limit=5)
    for name in ("lif", str(NEURON)):
        result = bioae.simulate(network.with_neuron(name), digits, "numpy")
        firing = bioae.analysis.summary(result)[["rate_hz_mean", "dead_fraction"]]
        print(f"\n{Path(name).stem}\n{firing.to_pandas().round(2)}")


def _network(model: str | None) -> bioae.Network:
    if model is not None:
        return bioae.load(model).network
    return bioae.Network.initialise(bioae.NetworkConfig.preset("strided"), seed=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
