"""All statistics of a result at once, their definitions, and comparison with cortex.

The definition of a new number of a layer belongs in `definitions`; a range measured in cortex
belongs in ``reference.toml``.
"""
