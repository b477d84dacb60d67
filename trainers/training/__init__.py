"""Training: configuration, objective, optimisation loop, checkpoints and fine-tuning."""

__all__: list[str] = []
