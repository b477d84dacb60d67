"""Comparison of two results: agreement, effect sizes, resampling."""
