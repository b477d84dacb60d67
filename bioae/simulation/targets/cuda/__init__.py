"""Brian2 on NVIDIA's GPUs, through brian2cuda.

`requirements` checks for brian2cuda, the CUDA toolkit and the GPU. `building`
writes projects. Neither needs brian2cuda to be imported.
"""
