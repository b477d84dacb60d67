"""Runs of learning by rules, on any target: configuration, training, and measures."""

__all__: list[str] = []
