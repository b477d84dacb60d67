from . import nir as nir
from .nir import from_nir as from_nir
from .nir import to_nir as to_nir
