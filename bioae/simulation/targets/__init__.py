"""Targets: Brian2 devices, their compilers, and the cache of compiled networks.

A new target belongs here: its requirements and its activation in `activation`, its compilation in
`compiling` or in a folder such as `cuda`. `bioae.simulation.backend` lists the names of targets.
"""
