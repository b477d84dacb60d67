"""Neuron models: one TOML file each in `neurons`, and their lowering to statements.

A model (`NeuronModel`) is data and describes a single neuron, without networks, training or
analysis. `lower` asks Brian2 for the statements that it runs for that model (a `Program`), which a
Brian2 simulation and the PyTorch mirror then share.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
