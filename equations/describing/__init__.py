"""Descriptions of neuron models for readers: equations in LaTeX, and tables of symbols."""
