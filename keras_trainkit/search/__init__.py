"""Hyperparameter search in log space, coarse to fine, on KerasTuner."""

from keras_trainkit.search.edges import edge_warnings
from keras_trainkit.search.spaces import (
    StandardSpace,
    dropout,
    log_uniform,
    momentum,
    standard_space,
)

__all__ = [
    "StandardSpace",
    "dropout",
    "edge_warnings",
    "log_uniform",
    "momentum",
    "standard_space",
]
