"""Pairwise statistics: correlations, correlograms, and distances between spike trains.

A new measure of pairs of neurons or of population synchrony belongs here, a distance between spike
trains in `distances`.
"""
