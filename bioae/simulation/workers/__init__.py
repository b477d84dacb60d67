"""Workers that run chunks of presentations: this process, other processes, or a Dask cluster.

A new kind of worker belongs here.
"""
