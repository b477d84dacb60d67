"""All statistics of a result at once, their definitions, and comparison with cortex."""
