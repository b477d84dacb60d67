from .objects import Converted as Converted
from .objects import Explained as Explained
from .objects import explain as explain
from .objects import from_brian2 as from_brian2
