"""Spiking networks with the methods of scikit-learn: a transformer, a classifier, a regressor.

They fit into pipelines, grid searches and cross-validation. The network that an estimator trains is
a `bioae.networks.network.Network`, for simulation in Brian2 and analysis.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
