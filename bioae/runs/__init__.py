"""Runs on disk, and what every kind of training shares: settings, data, checkpoint, metrics.

What is trained is plugged in: the gradient step of `bioae.trainers`, or the rules of a network.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
