"""Learning by synapse models in PyTorch: the mirror of synapses whose weights change on line."""
