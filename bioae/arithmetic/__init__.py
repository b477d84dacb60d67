"""Arithmetic of neuron models with the same bits on every target.

Brian2 leaves some operators and functions to the language of the target: ``n/3`` of an integer is
computed in 32 bits in C++, ``%`` and ``//`` by rounded quotients, and ``clip`` and ``sign`` differ
for NaN and crossed bounds. `rendering` replaces these by functions of ours in code for Brian2;
`brian` defines them for numpy, Cython, C++ and CUDA. The definition on arrays, for NumPy and
PyTorch, is `bioae.equations.arrays.functions`; that in C++, which the compiled mirror uses too, is
`templates/arithmetic.h`.
"""
