"""Networks from and to NIR, the Neuromorphic Intermediate Representation.

NIR (Pedersen et al. 2024, Nature Communications 15:8122) is a graph of linear operations and
neurons, without a time step, an encoder or a decoder. docs/nir.md says how each node is translated.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
