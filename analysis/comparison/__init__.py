"""Comparison of two results: agreement spike for spike, effects of a change, effect sizes.

A new measure of the difference between two results belongs here.
"""
