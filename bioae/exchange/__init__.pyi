from . import nir as nir
from .brian2 import explain as explain
from .brian2 import from_brian2 as from_brian2
from .nir import from_nir as from_nir
from .nir import to_nir as to_nir
