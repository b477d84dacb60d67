"""A network: its layers, encoder, decoder, neuron models and weights, and their file format.

Here belongs what a network *is*; how it is run belongs in `bioae.simulation` and in
`bioae.trainers`.
"""
