"""Brian2 on NVIDIA's GPUs, through brian2cuda.

`requirements` says what is missing of brian2cuda, the CUDA toolkit and the GPU; it imports none of
them. `device` is Brian2's device for the target ``cuda_standalone``, and `building` compiles what
it writes. Whether brian2cuda is installed or not, this package can be imported.
"""
