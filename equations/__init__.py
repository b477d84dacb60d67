"""Neuron models: one plain TOML file each, the loader, and their lowering to plain statements.

What belongs here is what a neuron *is*. It knows nothing of networks, of training or of analysis.
A model is data (`NeuronModel`); `lower` asks Brian2 for the statements that it runs for that model
(`Program`), which a Brian2 simulation and the PyTorch mirror then share.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
