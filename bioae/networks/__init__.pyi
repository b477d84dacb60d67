from . import artefact as artefact
from .artefact import Artefact as Artefact
from .config import NetworkConfig as NetworkConfig
from .config import presets as presets
from .network import Network as Network
from .placed_layer import PlacedLayer as PlacedLayer
