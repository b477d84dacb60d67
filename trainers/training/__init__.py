"""Training: configuration, objective, optimisation loop, checkpoints and fine-tuning.

A new loss or regulariser belongs in `objective`, its keys in `sections`.
"""

__all__: list[str] = []
