"""Build a network as ordinary Brian2 objects, add your own objects, and run it.

    python examples/brian2_objects.py                     an untrained network, NumPy
    python examples/brian2_objects.py MODEL               a trained one: its folder or .zip file
    python examples/brian2_objects.py MODEL --standalone  the same in C++ (compiles first)

The example adds lateral inhibition to the latent layer, with a `Synapses` object as any Brian2 user
would write it, and records one of its neurons with a `StateMonitor`.
"""

from __future__ import annotations

import sys
import tempfile

import numpy as np
from brian2 import StateMonitor, Synapses, device, ms, prefs, set_device

import bioae
from bioae.simulation import BrianNetwork

IMAGES, NEURON = 3, 60


def main(model: str | None = None, *, standalone: bool = False) -> BrianNetwork:
    network = _network(model)
    digits = bioae.datasets.load("sample", "test", limit=IMAGES)

    prefs.codegen.target = "numpy"
    if standalone:
        set_device("cpp_standalone", build_on_run=False)
    built = bioae.build(network, presentations=IMAGES)
    built.present(digits)
    latent = built.populations["latent"]

    # External input is added to `bioae_input`, in units of the neuron model's `weight`. A spike
    # acts one step later, so a spike in the last step of a presentation would act on the next
    # image, which begins with step 0.
    inhibition = Synapses(
        latent,
        latent,
        on_pre="bioae_input_post -= 0.02*int(bioae_step_post > 0)",
        clock=latent.clock,
    )
    inhibition.connect(condition="i != j")
    watched = ["v", "bioae_presentation"]
    potential = StateMonitor(latent, watched, record=[NEURON], when="end", clock=latent.clock)
    built.network.add(inhibition, potential)

    built.run(report=None)
    if standalone:
        device.build(directory=tempfile.mkdtemp(prefix="brian2-"), compile=True, run=True)
    _print(built, potential)
    return built


def _network(model: str | None) -> bioae.Network:
    if model is not None:
        return bioae.load(model).network
    return bioae.Network.initialise(bioae.NetworkConfig.preset("strided"), seed=0)


def _print(built: BrianNetwork, potential: StateMonitor) -> None:
    spikes = built.spikes["latent"]
    for presentation in range(IMAGES):
        # A spike's `t` is the time since its presentation's start.
        times = np.asarray(spikes.t / ms)[np.asarray(spikes.bioae_presentation) == presentation]
        first = f", the first at {times.min():g} ms" if times.size else ""
        print(f"image {presentation}: {times.size} latent spikes{first}")
    last = potential.bioae_presentation[0] == IMAGES - 1
    print(f"v of latent neuron {NEURON}, last image: {np.round(potential.v[0][last], 2)}")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--standalone"]
    main(*arguments, standalone="--standalone" in sys.argv)
