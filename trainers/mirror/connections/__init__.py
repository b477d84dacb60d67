"""Connections between populations: sums of weights, computed densely or from spikes, and delays."""
