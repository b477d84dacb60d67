"""Results as they are read: the file's schema, its layers, spikes and counts."""
