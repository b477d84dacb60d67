"""Training: configuration, objective, optimisation loop, checkpoints and fine-tuning."""
