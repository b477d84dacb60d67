"""Runs on disk, and what every kind of training shares: settings, data, checkpoint, metrics.

What is trained is plugged in: the gradient step of `bioae.trainers`, or the rules of a network.
"""

__all__: list[str] = []
