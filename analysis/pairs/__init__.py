"""Pairwise statistics: correlations, correlograms, and distances between spike trains.

A new measure of pairs of neurons or of population synchrony belongs here. A distance of spike
trains is a function on a raster of `bioae.analysis.raster`, (train, time) bool, that returns a
matrix (train, train_). All trains share the grid of steps, so a search among spike times becomes
arithmetic on small integers.
"""
