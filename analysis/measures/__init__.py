"""All measures of a result at once: definitions, tables, and reference values from cortex."""
