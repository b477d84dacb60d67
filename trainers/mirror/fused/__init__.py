"""A layer's steps as one compiled function forward and one backward.

`graph` and `trace` run the statements of the mirror on symbols, so that what is compiled is what
the mirror computes, operation by operation; `adjoint` differentiates them as PyTorch does; `source`
writes C++; `build` compiles it, once; `population` is the whole as an operation of PyTorch.
Nothing here knows a neuron model.
"""
