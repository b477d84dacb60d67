"""Connections between populations: sums of weights, computed densely or from spikes, and delays.

The PyTorch side of a new kind of layer belongs here.
"""
