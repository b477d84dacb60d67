"""What takes how long: each figure the median of several runs, side by side on one machine.

``python -m benchmarks`` runs them all and writes ``benchmarks/results/``.
"""
