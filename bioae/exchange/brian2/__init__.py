"""Networks from the objects of a Brian2 script, and as plain scripts, which run without bioae."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
