from .autoencoder import SpikingAutoEncoder as SpikingAutoEncoder
from .prediction import SpikingClassifier as SpikingClassifier
from .prediction import SpikingRegressor as SpikingRegressor
