"""Runs of learning by rules, from a configuration file: in Brian2, or in the mirror."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
