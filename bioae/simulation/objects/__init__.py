"""From a network to ordinary Brian2 objects, and from their monitors back to spikes and outputs.

The Brian2 side of a learning rule belongs here, next to the pathways whose weights it changes.
"""
