"""Synapse models: learning rules belong here, one TOML file each; none is shipped yet."""
