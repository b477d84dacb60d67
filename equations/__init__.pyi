from .expressions import Expression as Expression
from .library import available as available
from .library import load_model as load_model
from .lowering.lowering import lower as lower
from .model import NeuronModel as NeuronModel
from .model import Surrogate as Surrogate
from .program import Program as Program
from .program import Statement as Statement
