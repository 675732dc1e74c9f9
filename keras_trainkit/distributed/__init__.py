"""Keras models on TensorFlow's parameter servers: several processes, one training."""

from keras_trainkit.distributed.cluster import Cluster
from keras_trainkit.distributed.downpour import Downpour

__all__ = ["Cluster", "Downpour"]
