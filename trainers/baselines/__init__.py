"""Conventional auto-encoders and trivial predictors, to compare spiking auto-encoders with.

A new kind is a table in `config`, and a class of `Baseline`.
"""

__all__: list[str] = []
