"""Neural coding: information, read-outs, receptive fields, reconstruction of the stimulus.

A new measure that relates spikes to the images or their classes belongs here.
"""
