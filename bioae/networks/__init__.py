"""Networks: layers, encoder, decoder, neuron models, weights, and the artefact that stores them.

The description of networks belongs here; running them belongs in `bioae.simulation` and
`bioae.trainers`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
