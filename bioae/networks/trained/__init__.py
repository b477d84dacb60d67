"""Trained networks that come with bioae: their names, their cards, and loading by name.

The networks are folders in ``bioae/data/networks``: an artefact, the configuration of its training,
and the card. ``docs/make_trained.py`` writes them from a run; no number in them is typed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
