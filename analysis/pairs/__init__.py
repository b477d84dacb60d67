"""Pairwise statistics: correlations, correlograms, and distances of spike trains."""
