"""Fits of a neuron model's parameters to recordings: `bioae.fit` and its answer."""

from __future__ import annotations

from bioae.trainers.fitting.answer import Fit

__all__ = ["Fit"]
