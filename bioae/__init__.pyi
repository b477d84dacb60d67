from . import analysis as analysis
from . import datasets as datasets
from . import equations as equations
from . import errors as errors
from . import models as models
from . import networks as networks
from . import noise as noise
from . import responses as responses
from . import simulation as simulation
from . import trainers as trainers
from .equations import NeuronModel as NeuronModel
from .equations import load_model as load_model
from .errors import BioaeError as BioaeError
from .models.loading import load as load
from .networks.artefact import Artefact as Artefact
from .networks.artefact import save as save
from .networks.config import NetworkConfig as NetworkConfig
from .networks.network import Network as Network
from .shortcuts import analyze as analyze
from .shortcuts import parity as parity
from .simulation import Backend as Backend
from .simulation import BrianNetwork as BrianNetwork
from .simulation import build as build
from .simulation import simulate as simulate
from .simulation import simulate_to as simulate_to
from .simulation import write_result as write_result

__version__: str
