"""Programs on arrays: the statements of a `Program` as functions of NumPy or PyTorch arrays."""
