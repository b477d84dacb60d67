"""Training: configuration, loss, regularisers, optimisation loop and checkpoints."""
