"""Reading results: the schema of a file, its layers, spikes, rasters and counts."""
