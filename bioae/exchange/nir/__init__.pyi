from .exporting import to_nir as to_nir
from .importing import Translation as Translation
from .importing import from_nir as from_nir
from .importing import translate as translate
from .library import read_graph as read_graph
from .library import write_graph as write_graph
