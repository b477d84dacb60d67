"""Training: configuration, losses, optimisation loop, checkpoints and fine-tuning.

A new loss belongs in `losses`, a regulariser in `regularisers` with its keys in `terms`, and a
learning-rate schedule in `schedules`.
"""

__all__: list[str] = []
