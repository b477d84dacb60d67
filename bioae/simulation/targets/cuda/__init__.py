"""Brian2 on NVIDIA's GPUs, through brian2cuda.

`requirements` finds out what is missing: brian2cuda, the CUDA toolkit, or the GPU. `building`
writes and compiles projects. Neither needs brian2cuda to be imported.
"""
