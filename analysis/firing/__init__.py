"""Firing statistics of neurons and layers: counts, rates, intervals, variability, sparseness.

A new measure of single neurons belongs here.
"""
