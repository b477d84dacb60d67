"""Gradient norms of untrained recurrent layers, for experiments with recurrent networks."""
