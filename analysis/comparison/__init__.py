"""Comparison of two results: agreement spike for spike, effects of a change, effect sizes."""
