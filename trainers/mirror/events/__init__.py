"""Connections that compute what events ask for: most neurons are silent most of the time.

A convolution's sums, and the gradient of its weights, are computed from the spikes alone; what goes
back to the neurons that sent them is computed for all. `taps` says which elements of the kernel
lead where, ``templates/events.cpp`` walks them, `connection` is the whole as an operation of
PyTorch.
"""
