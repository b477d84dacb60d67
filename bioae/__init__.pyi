from . import analysis as analysis
from . import datasets as datasets
from . import errors as errors
from . import trainers as trainers
from .analysis import open_result as open_result
from .analysis import plots as plots
from .api import analyze as analyze
from .api import build as build
from .api import learn as learn
from .api import parity as parity
from .api import simulate as simulate
from .api import simulate_to as simulate_to
from .api import to_script as to_script
from .api import train as train
from .equations import NeuronModel as NeuronModel
from .equations import SynapseModel as SynapseModel
from .equations import load_neuron as load_neuron
from .equations import load_synapse as load_synapse
from .exchange import from_nir as from_nir
from .exchange import to_nir as to_nir
from .networks.artefact import load as load
from .networks.artefact import save as save
from .networks.config import NetworkConfig as NetworkConfig
from .networks.network import Network as Network
from .simulation import Backend as Backend
from .simulation import write_result as write_result

__version__: str
