"""Compiled steps: all steps of a layer as one C++ function forward and one backward.

`layer` records the mirror's own statements on symbols (`graph`), so that the compiled operations
are those of the mirror, one by one; `adjoint` differentiates them as PyTorch does; `source` writes
C++; `build` compiles it once; `kernel` runs it as an operation of PyTorch. Nothing here depends on
a particular neuron model.
"""
