from .cards import Card as Card
from .cards import available as available
from .cards import card as card
