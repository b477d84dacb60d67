"""Recipes and measures, for experiments with auto-encoders."""
