"""Keras layers that other rooms need to reach their speed."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.layers.embedding import Embedding

__all__ = ["Embedding"]
