from .assessment import Assessment as Assessment
from .rules.config import LearningConfig as LearningConfig
from .run import Trained as Trained
from .trainer import Report as Report
from .trainer import Trainer as Trainer
