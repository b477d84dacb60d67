"""Networks that compute with spike times, simulated from event to event in float64.

Neurons have a linear spike response: the potential of a neuron is ``sum w (t - t_u)+`` over the
input spikes at times t_u, and the neuron fires once, as soon as the potential reaches its
threshold. Such networks, their exact spike times, and the compilation of ReLU networks to them
belong in this folder. `SpikeTimeNetwork.to_network` gives the ordinary network of ramp neurons that
Brian2 and the mirror run in time steps.
"""

from __future__ import annotations

from experiments.spike_response.compiling import compile_relu, relu_outputs
from experiments.spike_response.network import (
    SpikeTimeLayer,
    SpikeTimeNetwork,
    TimeCode,
    causal_sets,
    spike_times,
)

__all__ = [
    "SpikeTimeLayer",
    "SpikeTimeNetwork",
    "TimeCode",
    "causal_sets",
    "compile_relu",
    "relu_outputs",
    "spike_times",
]
