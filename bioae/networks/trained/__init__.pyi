from .cards import Card as Card
from .cards import available as available
from .cards import card as card
from .loading import load as load
from .loading import locate as locate
