"""Synapse models: learning rules, one TOML file each, and their lowering to statements."""
