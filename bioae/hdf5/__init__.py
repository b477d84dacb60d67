"""HDF5 files from strangers: inspected in a process of their own before they are read here."""

__all__: list[str] = []
