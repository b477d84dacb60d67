"""Results of a simulation: the spikes of a chunk, the tree, and its netCDF file."""
