"""Descriptions of a neuron model for people: LaTeX and tables of its symbols."""
