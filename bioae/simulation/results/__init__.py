"""Results of a simulation: chunks of spikes, the tree, the netCDF file, and finished parts of runs.

Any change to the format of a result belongs here, and in docs/result.md.
"""
