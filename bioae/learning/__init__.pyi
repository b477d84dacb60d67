from .config import LearningConfig as LearningConfig
from .config import load_learning as load_learning
from .run import LearningResult as LearningResult
from .run import learn_from as learn_from
