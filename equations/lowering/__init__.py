"""Lowering: from Brian2 text to a `Program`, the plain statements of one time step.

Each step of the lowering is a file: statements as Brian2 derives them, their loop invariants,
refractoriness, noise.
"""
