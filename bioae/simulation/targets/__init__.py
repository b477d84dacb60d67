"""Targets: Brian2 devices, their compilers, and the cache of compiled networks.

A new target belongs here.
"""
