from .objects.brian_network import BrianNetwork as BrianNetwork
from .objects.build import build as build
from .results.result import LayerSpikes as LayerSpikes
from .results.result import build_result as build_result
from .results.result import write_result as write_result
from .run import simulate as simulate
from .targets.activation import TARGETS as TARGETS
from .to_file import simulate_to as simulate_to
