"""Keras layers that other rooms need to reach their speed."""

from keras_trainkit.layers.embedding import Embedding

__all__ = ["Embedding"]
