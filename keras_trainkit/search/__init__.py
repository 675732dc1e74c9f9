"""Searches for hyperparameters on KerasTuner that can be depended on."""

import keras_trainkit.backend  # noqa: F401
from keras_trainkit.search.engine.oracle import DependableOracle
from keras_trainkit.search.page import report
from keras_trainkit.search.ranges.edges import edge_warnings
from keras_trainkit.search.ranges.spaces import (
    StandardSpace,
    dropout,
    log_uniform,
    momentum,
    standard_space,
)
from keras_trainkit.search.trials import trials_frame
from keras_trainkit.search.tuners.bayesian_optimization import BayesianOptimization
from keras_trainkit.search.tuners.coarse_to_fine import CoarseToFine
from keras_trainkit.search.tuners.grid_search import GridSearch
from keras_trainkit.search.tuners.hyperband import Hyperband
from keras_trainkit.search.tuners.random_search import RandomSearch
from keras_trainkit.search.tuners.stage import Stage
from keras_trainkit.search.tuners.tuner import DependableTuner

__all__ = [
    "BayesianOptimization",
    "CoarseToFine",
    "DependableOracle",
    "DependableTuner",
    "GridSearch",
    "Hyperband",
    "RandomSearch",
    "Stage",
    "StandardSpace",
    "dropout",
    "edge_warnings",
    "log_uniform",
    "momentum",
    "report",
    "standard_space",
    "trials_frame",
]
