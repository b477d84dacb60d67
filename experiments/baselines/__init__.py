"""Conventional networks and trivial predictors, to compare spiking networks with.

A new kind is a table in `kinds`, and a class of `ConventionalModule` or `Baseline`.
"""

from __future__ import annotations

from experiments.baselines.base import Baseline
from experiments.baselines.config import BaselineConfig
from experiments.baselines.stored import load_baseline
from experiments.baselines.training import train_baseline

__all__ = ["Baseline", "BaselineConfig", "load_baseline", "train_baseline"]
