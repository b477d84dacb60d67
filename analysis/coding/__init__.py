"""Neural coding: information, read-outs, receptive fields, reconstruction of the stimulus."""
