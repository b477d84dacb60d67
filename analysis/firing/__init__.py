"""Firing statistics of neurons and populations: rates, intervals, variability, sparseness.

A new measure of single neurons belongs here.
"""
