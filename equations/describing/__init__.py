"""Descriptions of neuron models for people: equations in LaTeX, and tables of symbols."""
