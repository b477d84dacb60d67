"""Benchmarks of run time and memory; each figure is the median of several runs on one machine.

``python -m benchmarks`` (or ``make bench``) measures all of ``benchmarks/results/`` again; with
``--resume`` it continues an interrupted run.
"""
