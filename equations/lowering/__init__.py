"""Lowering: from Brian2 text to a `Program`, the plain statements of a time step.

Each step of the lowering is a file: checks, the statements that Brian2 derives, their loop
invariants, refractoriness, noise and background input, and the distance to threshold.
"""
