"""Shared parts of experiments: recipes, agreement of Brian2 and the mirror, read-outs, figures."""
