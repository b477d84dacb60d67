"""Results of a simulation: chunks of spikes, their tree, its file, finished parts of a run."""
