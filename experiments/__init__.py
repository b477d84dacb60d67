"""Experiments: a claim each, tested over conditions and seeds, with controls and thresholds.

Research, which is not installed: run ``python -m experiments list`` in a clone. An experiment is a
file of this folder that defines ``EXPERIMENT``, and its name is that of the file. `runner` has what
all of them share, `baselines` the networks to compare with, `synthetic` data sets that are drawn.
Experiments use bioae as any user does; nothing of bioae imports them. Heavy libraries are imported
in functions, so that the list is quick.
"""
